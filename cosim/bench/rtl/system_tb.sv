// Test bench of the whole accelerator. It holds the generated `reprise`, a memory behind its AXI4 port, a host that makes
// one register access at a time, checks of both ports against the rules of AXI, and a log of the profile's strobes.
// Whatever happens in every cycle happens here; Python only starts register accesses and waits for the interrupt. The
// file `dut.svh`, which is made from the sidecar, instantiates the design, and gives `probes`: events inside the design
// that its profile does not show. BUS_BITS, ADDRESS_BITS, MEMORY_WORDS, MEMORY_DEPTH, PROFILE_BITS, RUN_START and RUN_END
// are macros, which come with it.
module system_tb (
    input  logic        clk,
    input  logic        reset,
    // The host toggles host_request, and host_done takes the same value when the access is complete.
    input  logic        host_request,
    input  logic        host_write,
    input  logic [31:0] host_address,
    input  logic [31:0] host_data,
    output logic        host_done,
    output logic [31:0] host_value,
    output logic [1:0]  host_response,
    // The memory; axi_memory.sv says what these are.
    input  logic [15:0] latency,
    input  logic [7:0]  stall,
    input  logic [7:0]  gap,
    input  logic [31:0] seed,
    input  logic [`ADDRESS_BITS-1:0] fault_first,
    input  logic [`ADDRESS_BITS-1:0] fault_last,
    // When dump_request toggles, the memory's words dump_first..dump_last are written to the file +dump=PATH in binary.
    // When load_request toggles, the file +memory=PATH is read again.
    input  logic        dump_request,
    input  logic [31:0] dump_first,
    input  logic [31:0] dump_last,
    input  logic        load_request,
    output logic        irq,
    output logic [31:0] cycle,
    output logic [63:0] beats_read,
    output logic [63:0] beats_written
);
    // The reset goes through a flip-flop, because Verilator evaluates all logic behind an input of the top at both edges
    // of the clock, and that behind a flip-flop at one.
    logic rst = 1'b1;
    always_ff @(posedge clk) rst <= reset;

    // The host's port to the registers, AXI4-Lite
    logic s_axil_awvalid, s_axil_awready, s_axil_wvalid, s_axil_wready, s_axil_bvalid, s_axil_bready;
    logic s_axil_arvalid, s_axil_arready, s_axil_rvalid, s_axil_rready;
    logic [31:0] s_axil_awaddr, s_axil_araddr, s_axil_wdata, s_axil_rdata;
    logic [3:0] s_axil_wstrb;
    logic [1:0] s_axil_bresp, s_axil_rresp;
    logic [2:0] s_axil_awprot, s_axil_arprot;
    logic busy;

    assign s_axil_awaddr = host_address;
    assign s_axil_araddr = host_address;
    assign s_axil_wdata = host_data;
    assign s_axil_wstrb = 4'hf;
    assign s_axil_awprot = '0;
    assign s_axil_arprot = '0;
    assign s_axil_bready = busy;
    assign s_axil_rready = busy;

    always_ff @(posedge clk) begin
        if (rst) begin
            {s_axil_awvalid, s_axil_wvalid, s_axil_arvalid, busy, host_done} <= '0;
        end else if (!busy) begin
            if (host_request != host_done) begin
                busy <= 1'b1;
                s_axil_awvalid <= host_write;
                s_axil_wvalid <= host_write;
                s_axil_arvalid <= !host_write;
            end
        end else begin
            if (s_axil_awready) s_axil_awvalid <= 1'b0;
            if (s_axil_wready) s_axil_wvalid <= 1'b0;
            if (s_axil_arready) s_axil_arvalid <= 1'b0;
            if (s_axil_bvalid || s_axil_rvalid) begin
                busy <= 1'b0;
                host_done <= host_request;
                host_value <= s_axil_rdata;
                host_response <= host_write ? s_axil_bresp : s_axil_rresp;
            end
        end
    end

    // The port to the memory, AXI4
    logic [`ADDRESS_BITS-1:0] m_axi_awaddr, m_axi_araddr;
    logic [7:0] m_axi_awlen, m_axi_arlen;
    logic m_axi_awvalid, m_axi_awready, m_axi_wlast, m_axi_wvalid, m_axi_wready, m_axi_bvalid, m_axi_bready;
    logic m_axi_arvalid, m_axi_arready, m_axi_rlast, m_axi_rvalid, m_axi_rready;
    logic [`BUS_BITS-1:0] m_axi_wdata, m_axi_rdata;
    logic [`BUS_BITS/8-1:0] m_axi_wstrb;
    logic [1:0] m_axi_bresp, m_axi_rresp, m_axi_awburst, m_axi_arburst;
    logic [2:0] m_axi_awsize, m_axi_arsize, m_axi_awprot, m_axi_arprot;
    logic [3:0] m_axi_awcache, m_axi_arcache;
    logic m_axi_awid, m_axi_arid, m_axi_bid, m_axi_rid;
    assign m_axi_bid = '0;
    assign m_axi_rid = '0;

    axi_memory #(.DATA(`BUS_BITS), .ADDRESS(`ADDRESS_BITS), .WORDS(`MEMORY_WORDS),
                 .DEPTH(`MEMORY_DEPTH)) memory (
        .clk, .rst, .latency, .stall, .gap, .seed, .fault_first, .fault_last, .beats_read, .beats_written,
        .awaddr(m_axi_awaddr), .awlen(m_axi_awlen), .awvalid(m_axi_awvalid), .awready(m_axi_awready),
        .wdata(m_axi_wdata), .wstrb(m_axi_wstrb), .wlast(m_axi_wlast), .wvalid(m_axi_wvalid), .wready(m_axi_wready),
        .bresp(m_axi_bresp), .bvalid(m_axi_bvalid), .bready(m_axi_bready),
        .araddr(m_axi_araddr), .arlen(m_axi_arlen), .arvalid(m_axi_arvalid), .arready(m_axi_arready),
        .rdata(m_axi_rdata), .rresp(m_axi_rresp), .rlast(m_axi_rlast), .rvalid(m_axi_rvalid), .rready(m_axi_rready));

    logic [`PROFILE_BITS-1:0] profile;
    `include "dut.svh"

    // Both ports of the accelerator under the rules of AXI: the simulation ends at the first that is broken.
    logic [31:0] m_axi_errors, s_axil_errors;
    logic [8*80-1:0] m_axi_rule, s_axil_rule;
    axi_checker #(.NAME("m_axi"), .DATA(`BUS_BITS), .ADDRESS(`ADDRESS_BITS), .DEPTH(2 * `MEMORY_DEPTH)) m_axi_watch (
        .clk, .rst, .errors(m_axi_errors), .rule(m_axi_rule), .open(),
        .awid(m_axi_awid), .awaddr(m_axi_awaddr), .awlen(m_axi_awlen), .awsize(m_axi_awsize), .awburst(m_axi_awburst),
        .awcache(m_axi_awcache), .awprot(m_axi_awprot), .awvalid(m_axi_awvalid), .awready(m_axi_awready),
        .wdata(m_axi_wdata), .wstrb(m_axi_wstrb), .wlast(m_axi_wlast), .wvalid(m_axi_wvalid), .wready(m_axi_wready),
        .bid(m_axi_bid), .bresp(m_axi_bresp), .bvalid(m_axi_bvalid), .bready(m_axi_bready),
        .arid(m_axi_arid), .araddr(m_axi_araddr), .arlen(m_axi_arlen), .arsize(m_axi_arsize), .arburst(m_axi_arburst),
        .arcache(m_axi_arcache), .arprot(m_axi_arprot), .arvalid(m_axi_arvalid), .arready(m_axi_arready),
        .rid(m_axi_rid), .rdata(m_axi_rdata), .rresp(m_axi_rresp), .rlast(m_axi_rlast), .rvalid(m_axi_rvalid),
        .rready(m_axi_rready));
    axi_checker #(.NAME("s_axil"), .DATA(32), .ADDRESS(32), .DEPTH(2)) s_axil_watch (
        .clk, .rst, .errors(s_axil_errors), .rule(s_axil_rule), .open(),
        .awid(1'b0), .awaddr(s_axil_awaddr), .awlen(8'd0), .awsize(3'd2), .awburst(2'd1), .awcache(4'd0),
        .awprot(s_axil_awprot), .awvalid(s_axil_awvalid), .awready(s_axil_awready),
        .wdata(s_axil_wdata), .wstrb(s_axil_wstrb), .wlast(1'b1), .wvalid(s_axil_wvalid), .wready(s_axil_wready),
        .bid(1'b0), .bresp(s_axil_bresp), .bvalid(s_axil_bvalid), .bready(s_axil_bready),
        .arid(1'b0), .araddr(s_axil_araddr), .arlen(8'd0), .arsize(3'd2), .arburst(2'd1), .arcache(4'd0),
        .arprot(s_axil_arprot), .arvalid(s_axil_arvalid), .arready(s_axil_arready),
        .rid(1'b0), .rdata(s_axil_rdata), .rresp(s_axil_rresp), .rlast(1'b1), .rvalid(s_axil_rvalid),
        .rready(s_axil_rready));
    always_ff @(posedge clk) begin
        if (m_axi_errors != 0) $fatal(1, "the traffic on m_axi breaks AXI4 rule %0s", m_axi_rule);
        if (s_axil_errors != 0) $fatal(1, "the traffic on s_axil breaks AXI4 rule %0s", s_axil_rule);
    end

    // What tests/formal/test_job_proofs.py assumes of the rest of the accelerator: where a job ends with its result,
    // nothing is under way or wanted. And what it proves by that: until the next start nothing moves.
    logic finishes, wanted, moves;
    assign finishes = dut.sequencer.enable && dut.sequencer.finished;
    assign wanted = dut.datapath.reads.i_burst__0__valid || dut.datapath.reads.i_burst__1__valid
        || dut.datapath.reads.i_burst__2__valid || dut.datapath.writes.i__valid;
    assign moves = m_axi_awvalid || m_axi_wvalid || m_axi_bvalid || m_axi_arvalid || m_axi_rvalid;
    always_ff @(posedge clk) if (!rst) begin
        if (finishes && (wanted || !dut.datapath.reads.idle || !dut.datapath.writes.idle))
            $fatal(1, "a job ends while bursts are under way");
        if (moves && !dut.sequencer.busy && !dut.sequencer.bus_hung)
            $fatal(1, "something moves on m_axi while no job is in progress");
    end

    // $fread takes the first byte of a word as its highest, so whoever writes the file reverses the bytes of each word.
    string memory_path, dump_path;
    int file, log_file, code;
    logic dumped, loaded;

    task automatic load_memory();
        file = $fopen(memory_path, "rb");
        if (file == 0) $fatal(1, "no memory file");
        code = $fread(memory.mem, file);
        $fclose(file);
    endtask

    initial begin
        string path;
        dumped = 1'b0;
        loaded = 1'b0;
        log_file = 0;
        if ($value$plusargs("memory=%s", memory_path)) load_memory();
        if (!$value$plusargs("dump=%s", dump_path)) dump_path = "";
        if ($value$plusargs("profile=%s", path)) log_file = $fopen(path, "w");
    end

    always_ff @(posedge clk) begin
        if (dump_request != dumped) begin
            file = $fopen(dump_path, "wb");
            for (int i = int'(dump_first); i <= int'(dump_last); i++)
                for (int j = 0; j < `BUS_BITS / 32; j++)
                    $fwrite(file, "%u", memory.mem[i][32*j +: 32]);
            $fclose(file);
            dumped <= dump_request;
        end
        if (load_request != loaded) begin
            load_memory();
            loaded <= load_request;
        end
    end

    // With +events=PATH, every cycle in which the profile or a probe changes is written to a binary file, as three numbers
    // of 32 bits: the cycle, and what is set from then on. Nothing else is done for it, so that other runs are not slower.
    int events_file;
    logic [63:0] happens, happened;
    assign happens = 64'({probes, profile});
    initial begin
        string path;
        events_file = 0;
        happened = '0;
        if ($value$plusargs("events=%s", path)) events_file = $fopen(path, "wb");
    end
    always_ff @(posedge clk)
        if (events_file != 0 && !rst && happens != happened) begin
            $fwrite(events_file, "%u%u%u", cycle, happens[31:0], happens[63:32]);
            happened <= happens;
        end
    final if (events_file != 0) $fclose(events_file);

    // The log says in how many cycles each bit of the profile was set, and gets a line whenever a run starts or ends.
    logic [31:0] counts [0:`PROFILE_BITS-1];
    always_ff @(posedge clk) begin
        cycle <= rst ? 32'd0 : cycle + 1;
        for (int i = 0; i < `PROFILE_BITS; i++)
            if (rst) counts[i] <= '0;
            else if (profile[i]) counts[i] <= counts[i] + 1;
        if (!rst && log_file != 0 && (profile[`RUN_START] || profile[`RUN_END])) begin
            $fwrite(log_file, "%0d %0d %0d %0d", cycle, {profile[`RUN_END], profile[`RUN_START]}, beats_read, beats_written);
            for (int i = 0; i < `PROFILE_BITS; i++) $fwrite(log_file, " %0d", counts[i]);
            $fwrite(log_file, "\n");
            $fflush(log_file);
        end
    end
    final if (log_file != 0) begin
        $fwrite(log_file, "%0d 4 %0d %0d", cycle, beats_read, beats_written);
        for (int i = 0; i < `PROFILE_BITS; i++) $fwrite(log_file, " %0d", counts[i]);
        $fwrite(log_file, "\n");
        $fclose(log_file);
    end
endmodule
