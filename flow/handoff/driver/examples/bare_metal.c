/* The example without an operating system. Define what the board has (docs/host.md):
 *
 *   REPRISE_REGISTERS  address of the accelerator's registers
 *   TIMER              address of a 32-bit counter that runs freely, and TIMER_MHZ, its frequency
 *   UART               address of the register that sends a character
 *   RESET              address of the register whose bit 0 resets the fabric: accelerator and interconnect
 *   CACHE              if data is cached and the port is not coherent: the program then has cache_flush and
 *                      cache_invalidate, on Zynq Xil_DCacheFlushRange and Xil_DCacheInvalidateRange
 *
 * image_data.S puts memory.bin into the program.
 */
#include "app.h"
#include "image.h"

#ifndef REPRISE_REGISTERS
#define REPRISE_REGISTERS 0xA0000000u
#endif
#ifndef TIMER
#define TIMER 0xA0010000u
#endif
#ifndef TIMER_MHZ
#define TIMER_MHZ 100u
#endif
#ifndef UART
#define UART 0xA0020000u
#endif
#ifndef RESET
#define RESET 0xA0030000u
#endif

extern const unsigned char reprise_image_data[];

/* Two slots, physically contiguous and on a page. Addresses of this program are physical ones. */
static unsigned char memory[2 * REPRISE_IMAGE_STRIDE] __attribute__((aligned(REPRISE_BASE_ALIGNMENT)));

static volatile uint32_t *reg(uintptr_t address)
{
    return (volatile uint32_t *)address;
}

/* The counter wraps every 2**32 ticks, so it must be read more often than that. */
static uint64_t board_clock(void *context)
{
    static uint32_t before;
    static uint64_t ticks;
    const uint32_t now = *reg(TIMER);

    (void)context;
    ticks += (uint32_t)(now - before);
    before = now;
    return ticks / TIMER_MHZ;
}

static void board_barrier(void *context)
{
    (void)context;
    __sync_synchronize(); /* dmb sy on Arm, fence rw, rw on RISC-V; use dsb sy, fence iorw, iorw where the port is behind a write buffer */
}

#ifdef CACHE
void cache_flush(uintptr_t first, size_t bytes);
void cache_invalidate(uintptr_t first, size_t bytes);

static void board_flush(void *context, volatile void *first, size_t bytes)
{
    (void)context;
    cache_flush((uintptr_t)first, bytes);
}

static void board_invalidate(void *context, volatile void *first, size_t bytes)
{
    (void)context;
    cache_invalidate((uintptr_t)first, bytes);
}
#else
#define board_flush NULL
#define board_invalidate NULL
#endif

static void board_reset(void *context)
{
    const uint64_t start = board_clock(context);

    *reg(RESET) |= 1u;
    while (board_clock(context) - start < 10)
        ;
    *reg(RESET) &= ~1u;
}

static void board_print(const char *line)
{
    for (; *line != 0; line++)
        *reg(UART) = (unsigned char)*line;
    *reg(UART) = '\n';
}

int main(void)
{
    struct reprise dev = { reprise_mmio_read, reprise_mmio_write, (void *)(uintptr_t)REPRISE_REGISTERS, board_clock,
                           NULL, board_barrier, board_flush, board_invalidate, board_reset, 0 };

    return app(&dev, reprise_image_data, memory, (uintptr_t)memory, sizeof memory, board_print);
}
