/* Driver of the Reprise accelerator; see reprise.h. */
#include "reprise.h"

static uint32_t get(const struct reprise *dev, uint32_t offset)
{
    return dev->read(dev->context, offset);
}

static void put(const struct reprise *dev, uint32_t offset, uint32_t value)
{
    dev->write(dev->context, offset, value);
}

int reprise_probe(const struct reprise *dev, uint32_t hash)
{
    if (get(dev, REPRISE_ID) != REPRISE_ID_VALUE_RESET)
        return REPRISE_NO_DEVICE;
    if (REPRISE_GET(VERSION_MAJOR, get(dev, REPRISE_VERSION)) != REPRISE_VERSION_MAJOR_RESET)
        return REPRISE_OTHER_VERSION;
    if (hash != 0 && get(dev, REPRISE_CONFIG_HASH) != hash)
        return REPRISE_OTHER_CONFIG;
    return REPRISE_OK;
}

/* Write a value of up to 64 bits into the two registers at `offset`, the lower half first. */
static void put_wide(const struct reprise *dev, uint32_t offset, uint64_t value)
{
    put(dev, offset, (uint32_t)value);
    put(dev, offset + 4, (uint32_t)(value >> 32));
}

int reprise_start(const struct reprise *dev, uint64_t program, const struct reprise_windows *windows, int interrupt)
{
    if (REPRISE_GET(STATUS_BUSY, get(dev, REPRISE_STATUS)))
        return REPRISE_BUSY;
    put(dev, REPRISE_IRQ_STATUS, REPRISE_IRQ_STATUS_DONE_MASK); /* the end of a job before may not be acknowledged */
    put(dev, REPRISE_IRQ_ENABLE, interrupt ? REPRISE_IRQ_ENABLE_DONE_MASK : 0);
    put_wide(dev, REPRISE_PROGRAM_LO, program);
    put_wide(dev, REPRISE_READ_BASE_LO, windows->read_base);
    put_wide(dev, REPRISE_READ_SIZE_LO, windows->read_size);
    put_wide(dev, REPRISE_WRITE_BASE_LO, windows->write_base);
    put_wide(dev, REPRISE_WRITE_SIZE_LO, windows->write_size);
    put(dev, REPRISE_CONTROL, REPRISE_CONTROL_START_MASK);
    return REPRISE_OK;
}

int reprise_result(const struct reprise *dev)
{
    uint32_t status = get(dev, REPRISE_STATUS);

    if (REPRISE_GET(STATUS_DONE, status))
        return (int)REPRISE_GET(STATUS_ERROR, status);
    return REPRISE_GET(STATUS_BUSY, status) ? REPRISE_BUSY : REPRISE_IDLE;
}

int reprise_wait(const struct reprise *dev, uint32_t reads)
{
    while (reads-- != 0) {
        int result = reprise_result(dev);

        if (result >= 0)
            return result;
    }
    return REPRISE_TIMEOUT;
}

int reprise_interrupt(const struct reprise *dev)
{
    if (!REPRISE_GET(IRQ_STATUS_DONE, get(dev, REPRISE_IRQ_STATUS)))
        return REPRISE_IDLE;
    put(dev, REPRISE_IRQ_STATUS, REPRISE_IRQ_STATUS_DONE_MASK);
    return reprise_result(dev);
}

void reprise_stop(const struct reprise *dev)
{
    put(dev, REPRISE_CONTROL, REPRISE_CONTROL_STOP_MASK);
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
