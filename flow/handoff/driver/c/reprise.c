/* Driver of the Reprise accelerator: its registers; see reprise.h. */
#include "reprise.h"

#define ADDRESS_END ((uint64_t)1 << REPRISE_ADDRESS_BITS)

static uint32_t get(const struct reprise *dev, uint32_t offset)
{
    return dev->read(dev->context, offset);
}

static void put(const struct reprise *dev, uint32_t offset, uint32_t value)
{
    dev->write(dev->context, offset, value);
}

static enum reprise_result refuse(struct reprise *dev, enum reprise_result result, uint64_t value)
{
    dev->value = value;
    return result;
}

static void barrier(const struct reprise *dev)
{
    if (dev->barrier != NULL)
        dev->barrier(dev->context);
}

enum reprise_result reprise_probe(struct reprise *dev, uint32_t hash)
{
    uint32_t seen = get(dev, REPRISE_ID);

    if (seen != REPRISE_ID_VALUE_RESET)
        return refuse(dev, REPRISE_NO_DEVICE, seen);
    seen = REPRISE_GET(VERSION_MAJOR, get(dev, REPRISE_VERSION));
    if (seen != REPRISE_VERSION_MAJOR_RESET)
        return refuse(dev, REPRISE_OTHER_VERSION, seen);
    seen = get(dev, REPRISE_CONFIG_HASH);
    if (hash != 0 && seen != hash)
        return refuse(dev, REPRISE_OTHER_CONFIG, seen);
    return REPRISE_OK;
}

/* Write a value of up to 64 bits into the two registers at `offset`, the lower half first. */
static void put_wide(const struct reprise *dev, uint32_t offset, uint64_t value)
{
    put(dev, offset, (uint32_t)(value & 0xffffffffu));
    put(dev, offset + 4, (uint32_t)(value >> 32));
}

/* A window may end where the addresses end, but nothing may wrap around. */
static enum reprise_result check_window(struct reprise *dev, uint64_t base, uint64_t size, uint32_t word)
{
    if ((base & (word - 1)) != 0 || base > ADDRESS_END)
        return refuse(dev, REPRISE_BAD_WINDOW, base);
    if ((size & (word - 1)) != 0 || size > ADDRESS_END - base)
        return refuse(dev, REPRISE_BAD_WINDOW, size);
    return REPRISE_OK;
}

enum reprise_result reprise_start(struct reprise *dev, uint64_t program, const struct reprise_windows *windows,
                                  int interrupt)
{
    uint32_t status = get(dev, REPRISE_STATUS), word = REPRISE_GET(BUS_WORD_BYTES, get(dev, REPRISE_BUS));
    enum reprise_result result;

    if (word == 0)
        return refuse(dev, REPRISE_NO_DEVICE, 0);
    if (REPRISE_GET(STATUS_BUSY, status))
        return refuse(dev, REPRISE_BUSY, status);
    if (REPRISE_GET(STATUS_BUS_HUNG, status))
        return refuse(dev, REPRISE_BUS_HUNG, status);
    if ((program & (word - 1)) != 0 || program >= ADDRESS_END)
        return refuse(dev, REPRISE_BAD_PROGRAM, program);
    result = check_window(dev, windows->read_base, windows->read_size, word);
    if (result == REPRISE_OK)
        result = check_window(dev, windows->write_base, windows->write_size, word);
    if (result != REPRISE_OK)
        return result;
    put(dev, REPRISE_IRQ_STATUS, REPRISE_IRQ_STATUS_DONE_MASK); /* the end of a job before may not be acknowledged */
    put(dev, REPRISE_IRQ_ENABLE, interrupt ? REPRISE_IRQ_ENABLE_DONE_MASK : 0);
    put_wide(dev, REPRISE_PROGRAM_LO, program);
    put_wide(dev, REPRISE_READ_BASE_LO, windows->read_base);
    put_wide(dev, REPRISE_READ_SIZE_LO, windows->read_size);
    put_wide(dev, REPRISE_WRITE_BASE_LO, windows->write_base);
    put_wide(dev, REPRISE_WRITE_SIZE_LO, windows->write_size);
    barrier(dev);
    put(dev, REPRISE_CONTROL, REPRISE_CONTROL_START_MASK);
    return REPRISE_OK;
}

enum reprise_result reprise_result(struct reprise *dev)
{
    uint32_t status = get(dev, REPRISE_STATUS);

    if (REPRISE_GET(STATUS_BUSY, status))
        return refuse(dev, REPRISE_BUSY, status);
    if (REPRISE_GET(STATUS_BUS_HUNG, status))
        return refuse(dev, REPRISE_BUS_HUNG, status);
    if (!REPRISE_GET(STATUS_DONE, status))
        return refuse(dev, REPRISE_IDLE, status);
    barrier(dev);
    return refuse(dev, (enum reprise_result)REPRISE_GET(STATUS_ERROR, status), REPRISE_GET(STATUS_COMMAND, status));
}

enum reprise_result reprise_wait(struct reprise *dev, uint64_t microseconds)
{
    uint64_t start, passed = 0;

    if (dev->clock == NULL)
        return refuse(dev, REPRISE_NO_CLOCK, 0);
    start = dev->clock(dev->context);
    for (;;) {
        enum reprise_result result = reprise_result(dev);

        if (result != REPRISE_BUSY)
            return result;
        if (passed > microseconds) /* the look at STATUS came after the time was over */
            return refuse(dev, REPRISE_TIMEOUT, microseconds);
        if (dev->pause != NULL)
            dev->pause(dev->context, microseconds - passed);
        passed = dev->clock(dev->context) - start;
    }
}

enum reprise_result reprise_interrupt(struct reprise *dev)
{
    if (!REPRISE_GET(IRQ_STATUS_DONE, get(dev, REPRISE_IRQ_STATUS)))
        return refuse(dev, REPRISE_IDLE, 0);
    put(dev, REPRISE_IRQ_STATUS, REPRISE_IRQ_STATUS_DONE_MASK);
    return reprise_result(dev);
}

void reprise_stop(struct reprise *dev)
{
    put(dev, REPRISE_CONTROL, REPRISE_CONTROL_STOP_MASK);
}

enum reprise_result reprise_reset(struct reprise *dev)
{
    enum reprise_result result;
    uint32_t status;

    if (dev->reset == NULL)
        return refuse(dev, REPRISE_NO_RESET, 0);
    dev->reset(dev->context);
    result = reprise_probe(dev, 0);
    if (result != REPRISE_OK)
        return result;
    status = get(dev, REPRISE_STATUS);
    return status != 0 ? refuse(dev, REPRISE_RESET_FAILED, status) : REPRISE_OK;
}

uint32_t reprise_error(const struct reprise *dev)
{
    return REPRISE_GET(STATUS_ERROR, get(dev, REPRISE_STATUS));
}

uint32_t reprise_command(const struct reprise *dev)
{
    return REPRISE_GET(STATUS_COMMAND, get(dev, REPRISE_STATUS));
}

void reprise_watchdog(const struct reprise *dev, uint32_t cycles)
{
    put(dev, REPRISE_WATCHDOG, cycles);
}

uint64_t reprise_cycles(const struct reprise *dev)
{
    uint64_t high = get(dev, REPRISE_CYCLES_HI);

    return high << 32 | get(dev, REPRISE_CYCLES_LO);
}

void reprise_counters(const struct reprise *dev, uint32_t values[REPRISE_COUNTERS])
{
    static const uint16_t offsets[REPRISE_COUNTERS] = REPRISE_COUNTER_OFFSETS;
    uint32_t i;

    for (i = 0; i < REPRISE_COUNTERS; i++)
        values[i] = get(dev, offsets[i]);
}

uint32_t reprise_mmio_read(void *context, uint32_t offset)
{
    return *(volatile uint32_t *)((uintptr_t)context + offset);
}

void reprise_mmio_write(void *context, uint32_t offset, uint32_t value)
{
    *(volatile uint32_t *)((uintptr_t)context + offset) = value;
}
