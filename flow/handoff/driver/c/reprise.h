/* The C driver of the Reprise accelerator: its registers. C99, or C++. It needs <stdint.h> and <stddef.h> and no
 * library, so that it runs on bare metal, in an RTOS, under Linux and in a kernel module. reprise_image.h is the part for
 * compiled networks: loading, packing, unpacking.
 *
 * Every function that can fail returns an enum reprise_result; reprise_message() makes a sentence of it.
 */
#ifndef REPRISE_H
#define REPRISE_H

#include <stddef.h>
#include <stdint.h>

#include "reprise_format.h"
#include "reprise_registers.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How a host reaches the accelerator and its memory. Every hook is given `context`. */
struct reprise {
    /* Read and write a 32-bit register at a byte offset; reprise_mmio_read and reprise_mmio_write do it where registers
     * are mapped at the address `context`. Needed. */
    uint32_t (*read)(void *context, uint32_t offset);
    void (*write)(void *context, uint32_t offset, uint32_t value);
    void *context;

    /* Return a time in microseconds that never goes back. Needed by reprise_wait and reprise_finish. */
    uint64_t (*clock)(void *context);

    /* Everything below may be NULL. */

    /* Called by reprise_wait between two looks at STATUS. It may sleep until the interrupt, but for no more than so
     * many microseconds. */
    void (*pause)(void *context, uint64_t microseconds);

    /* A barrier between memory and registers: what the program has written to memory before is there before a register
     * is written after it, and what is read from memory after it is not older than a register that was read before it.
     * Called in reprise_start before CONTROL is written, and in reprise_result after a job is seen to have ended. On
     * Arm: dsb sy; on RISC-V: fence iorw, iorw. */
    void (*barrier)(void *context);

    /* Write the cache's lines of a range of memory back, so that the accelerator sees them. Called in reprise_load and
     * reprise_submit. NULL where the memory is not cached, or the port is coherent. */
    void (*flush)(void *context, volatile void *first, size_t bytes);

    /* Drop the cache's lines of a range of memory, so that the program sees what the accelerator has written. Called in
     * reprise_finish. NULL as above. */
    void (*invalidate)(void *context, volatile void *first, size_t bytes);

    /* Reset the accelerator and the interconnect to its memory together, which is the only way out when its bus hangs.
     * Called by reprise_reset alone. */
    void (*reset)(void *context);

    /* Set by the driver: the value that broke a rule in the last call that failed, for reprise_message. */
    uint64_t value;
};

/* The positive results are error codes of the accelerator (docs/memory-map.md), those of REPRISE_JOB_ERRORS in
 * reprise_format.h; the negative ones are the driver's. */
#define REPRISE_JOB_ERROR(name, code, text) REPRISE_ERROR_##name = code,
enum reprise_result {
    REPRISE_OK = 0,
    REPRISE_JOB_ERRORS(REPRISE_JOB_ERROR)
    REPRISE_NO_DEVICE = -1,     /* the identification register holds something else */
    REPRISE_OTHER_VERSION = -2, /* the major version of registers and commands is not that of this driver */
    REPRISE_OTHER_CONFIG = -3,  /* the program is compiled for another configuration */
    REPRISE_BUSY = -4,          /* a job is in progress */
    REPRISE_TIMEOUT = -5,       /* the job is still in progress after the time that was given */
    REPRISE_IDLE = -6,          /* no job has ended since the last start */
    REPRISE_BUS_HUNG = -7,      /* the memory does not answer (STATUS.bus_hung): only reprise_reset helps */
    REPRISE_BAD_PROGRAM = -8,   /* the program's address is not that of a bus word below 2**40 */
    REPRISE_BAD_WINDOW = -9,    /* a window is not whole bus words, or ends above 2**40 */
    REPRISE_BAD_BASE = -10,     /* an image's base is not a multiple of REPRISE_BASE_ALIGNMENT */
    REPRISE_TOO_FAR = -11,      /* an image would end above 2**40 */
    REPRISE_NO_CLOCK = -12,     /* there is no clock hook, so no time can be waited for */
    REPRISE_NO_RESET = -13,     /* there is no reset hook */
    REPRISE_RESET_FAILED = -14, /* after the reset the accelerator is not as after power-on */
    REPRISE_BAD_NUMBER = -15,   /* the batch has no image of this number */
    REPRISE_BAD_LEVEL = -16,    /* a pixel is more than the network's largest input level */
    REPRISE_BAD_PART = -17      /* the image holds a command that this driver does not know */
};
#undef REPRISE_JOB_ERROR

/* Check that the device is an accelerator of this version and of this configuration. `hash` is the first 32 bits of
 * the configuration's SHA-256 (REPRISE_IMAGE_HASH in image.h); 0 accepts any configuration. */
enum reprise_result reprise_probe(struct reprise *dev, uint32_t hash);

/* Where the accelerator may read and write, as byte addresses and sizes of whole bus words. An access outside of its
 * window is not issued; it ends the job with an error. */
struct reprise_windows {
    uint64_t read_base, read_size;
    uint64_t write_base, write_size;
};

/* Start the program at the byte address `program` with these windows; with `interrupt`, the end of the job raises the
 * interrupt. Fails with REPRISE_BUSY, REPRISE_BUS_HUNG, REPRISE_BAD_PROGRAM or REPRISE_BAD_WINDOW. */
enum reprise_result reprise_start(struct reprise *dev, uint64_t program, const struct reprise_windows *windows,
                                  int interrupt);

/* Return how the last job stands: REPRISE_BUSY, REPRISE_IDLE, REPRISE_BUS_HUNG, or its result, which is 0 or an error
 * code of the accelerator. */
enum reprise_result reprise_result(struct reprise *dev);

/* Wait until the job has ended, for at most so many microseconds, and return its result as reprise_result does, or
 * REPRISE_TIMEOUT. A job that has not ended goes on: stop it, and wait again. */
enum reprise_result reprise_wait(struct reprise *dev, uint64_t microseconds);

/* Acknowledge the interrupt, in its handler, and return the job's result, or REPRISE_IDLE if the interrupt is not that
 * of this device. */
enum reprise_result reprise_interrupt(struct reprise *dev);

/* End a running job with REPRISE_ERROR_STOPPED. The memory port still finishes its transactions, so wait for the
 * result. */
void reprise_stop(struct reprise *dev);

/* Reset the accelerator by the hook, and check that it is as after power-on. Memory keeps its content, but what a job
 * has written is not to be relied on. */
enum reprise_result reprise_reset(struct reprise *dev);

/* Return the error code of the last job, also when its bus hangs. */
uint32_t reprise_error(const struct reprise *dev);

/* Return the index of the command that waited or failed, which is that of END after a good job. */
uint32_t reprise_command(const struct reprise *dev);

/* Set the cycles without progress after which a job ends with REPRISE_ERROR_WATCHDOG; with 0 it never does. */
void reprise_watchdog(const struct reprise *dev, uint32_t cycles);

/* Return the cycles of the last job. */
uint64_t reprise_cycles(const struct reprise *dev);

/* Read the REPRISE_COUNTERS performance counters of the last job, in the order of reprise_registers.h. */
void reprise_counters(const struct reprise *dev, uint32_t values[REPRISE_COUNTERS]);

/* Write a sentence about a result into `text`, of at most `size` characters with the 0 at its end: the field, the rule,
 * the value and the remedy. REPRISE_MESSAGE characters are enough. */
#define REPRISE_MESSAGE 320
void reprise_message(const struct reprise *dev, enum reprise_result result, char *text, size_t size);

/* Access the registers of a memory-mapped device, of which `context` is the base address. */
uint32_t reprise_mmio_read(void *context, uint32_t offset);
void reprise_mmio_write(void *context, uint32_t offset, uint32_t value);

#ifdef __cplusplus
}
#endif

#endif
