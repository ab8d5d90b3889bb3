// The accelerator's RTL as a device that a host program can drive: registers to read and write, and a memory at any
// address. The clock runs while a register is accessed and in shim_step(), and at no other time.
#include <cstdint>
#include <cstring>
#include <deque>

#include "Vreprise.h"
#include "verilated.h"

double sc_time_stamp() { return 0; }

namespace {

constexpr uint64_t word = sizeof(Vreprise::m_axi_rdata);
constexpr uint64_t latency = 8;

struct Burst {
    uint64_t address, beats, due;
    bool error;
};

Vreprise *top;
uint8_t *memory;
uint64_t memory_base, memory_size, now;
uint64_t fault_first = 1, fault_last = 0;
uint64_t stray;   // bursts outside of the memory
uint32_t hung, refused;
std::deque<Burst> reads, writes, answers;

bool outside(uint64_t address, uint64_t beats)
{
    return address < memory_base || address + beats * word > memory_base + memory_size;
}

Burst burst(uint64_t address, uint64_t length)
{
    Burst made{address, length + 1, now + latency, address >= fault_first && address <= fault_last};
    if (outside(made.address, made.beats)) {
        made.error = true;
        stray++;
    }
    return made;
}

void step()
{
    top->clk = 0;
    top->eval();
    const bool ar = top->m_axi_arvalid && top->m_axi_arready, aw = top->m_axi_awvalid && top->m_axi_awready;
    const bool r = top->m_axi_rvalid && top->m_axi_rready, w = top->m_axi_wvalid && top->m_axi_wready;
    const bool b = top->m_axi_bvalid && top->m_axi_bready;
    if (ar)
        reads.push_back(burst(top->m_axi_araddr, top->m_axi_arlen));
    if (aw)
        writes.push_back(burst(top->m_axi_awaddr, top->m_axi_awlen));
    if (r && --reads.front().beats == 0)
        reads.pop_front();
    else if (r)
        reads.front().address += word;
    if (b)
        answers.pop_front();
    if (w) {
        Burst &to = writes.front();
        const uint64_t strobe = top->m_axi_wstrb;
        if (!to.error)
            for (uint64_t i = 0; i < word; i++)
                if (strobe >> i & 1)
                    memory[to.address - memory_base + i] = reinterpret_cast<uint8_t *>(&top->m_axi_wdata)[i];
        to.address += word;
        if (--to.beats == 0) {
            to.due = now + latency;
            answers.push_back(to);
            writes.pop_front();
        }
    }
    top->clk = 1;
    top->eval();
    now++;
    top->m_axi_arready = reads.size() < 16;
    top->m_axi_awready = writes.size() < 16;
    top->m_axi_wready = !writes.empty() && !hung;
    top->m_axi_rvalid = !reads.empty() && reads.front().due <= now && !hung;
    if (top->m_axi_rvalid) {
        const Burst &from = reads.front();
        if (from.error)
            std::memset(&top->m_axi_rdata, 0, word);
        else
            std::memcpy(&top->m_axi_rdata, memory + (from.address - memory_base), word);
        top->m_axi_rresp = from.error ? 2 : 0;
        top->m_axi_rlast = from.beats == 1;
    }
    top->m_axi_bvalid = !answers.empty() && answers.front().due <= now && !hung;
    top->m_axi_bresp = !answers.empty() && answers.front().error ? 2 : 0;
}

}  // namespace

extern "C" {

// Reset the accelerator and its port to the memory, as one reset does on a board. The memory keeps its content.
void shim_reset(void)
{
    if (top == nullptr)
        top = new Vreprise;
    reads.clear();
    writes.clear();
    answers.clear();
    top->s_axil_awvalid = top->s_axil_wvalid = top->s_axil_arvalid = 0;
    top->s_axil_bready = top->s_axil_rready = 1;
    top->s_axil_wstrb = 15;
    top->m_axi_rvalid = top->m_axi_bvalid = 0;
    top->rst = 1;
    for (int i = 0; i < 8; i++)
        step();
    top->rst = 0;
    step();
}

void shim_memory(uint8_t *first, uint64_t base, uint64_t size)
{
    memory = first;
    memory_base = base;
    memory_size = size;
}

void shim_step(uint32_t cycles)
{
    while (cycles-- != 0)
        step();
}

uint32_t shim_read(uint32_t offset)
{
    top->s_axil_araddr = offset;
    top->s_axil_arvalid = 1;
    for (;;) {
        top->clk = 0;
        top->eval();
        const bool taken = top->s_axil_arvalid && top->s_axil_arready, answered = top->s_axil_rvalid;
        const uint32_t value = top->s_axil_rdata;
        refused += answered && top->s_axil_rresp;
        step();
        if (taken)
            top->s_axil_arvalid = 0;
        if (answered)
            return value;
    }
}

void shim_write(uint32_t offset, uint32_t value)
{
    top->s_axil_awaddr = offset;
    top->s_axil_wdata = value;
    top->s_axil_awvalid = top->s_axil_wvalid = 1;
    for (;;) {
        top->clk = 0;
        top->eval();
        const bool address = top->s_axil_awvalid && top->s_axil_awready;
        const bool data = top->s_axil_wvalid && top->s_axil_wready;
        const bool answered = top->s_axil_bvalid;
        refused += answered && top->s_axil_bresp;
        step();
        if (address)
            top->s_axil_awvalid = 0;
        if (data)
            top->s_axil_wvalid = 0;
        if (answered)
            return;
    }
}

// Addresses whose accesses are answered with SLVERR; none if `last` is below `first`.
void shim_fault(uint64_t first, uint64_t last)
{
    fault_first = first;
    fault_last = last;
}

// Whether the memory has stopped to answer.
void shim_hang(uint32_t on) { hung = on; }

uint32_t shim_irq(void) { return top->irq; }
uint64_t shim_cycles(void) { return now; }
uint64_t shim_stray(void) { return stray; }
uint32_t shim_refused(void) { return refused; }

}
