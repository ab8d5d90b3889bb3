/* Driver of the Reprise accelerator: results as sentences; see reprise.h. */
#include "reprise.h"

/* The errors of jobs have no field and no rule of their own. */
struct sentence {
    int result;
    const char *field, *rule, *remedy;
};

#define REPRISE_JOB_ERROR(name, code, text) { code, NULL, NULL, text },

static const struct sentence sentences[] = {
    REPRISE_JOB_ERRORS(REPRISE_JOB_ERROR)
#undef REPRISE_JOB_ERROR
    { REPRISE_NO_DEVICE, "the register ID", "0x53525052",
      "no Reprise accelerator answers at this address; check the address, the clock and the reset" },
    { REPRISE_OTHER_VERSION, "VERSION.major", "the driver's",
      "take the driver from the hand-off folder of this bitstream" },
    { REPRISE_OTHER_CONFIG, "the register CONFIG_HASH", "the image's",
      "compile the network for the configuration of this bitstream" },
    { REPRISE_BUSY, "STATUS", "without busy", "a job is in progress; wait for its end, or stop it" },
    { REPRISE_TIMEOUT, "the job's time in microseconds", "at most what was given",
      "it is still in progress; wait longer, or stop it and wait for its end" },
    { REPRISE_IDLE, "STATUS", "done", "no job has ended; start one" },
    { REPRISE_BUS_HUNG, "STATUS", "without bus_hung",
      "the memory port has not answered; reset the accelerator and the interconnect together (reprise_reset)" },
    { REPRISE_BAD_PROGRAM, "the program's address", "a multiple of a bus word (register BUS), below 2**40",
      "take it from the image" },
    { REPRISE_BAD_WINDOW, "a window's base and size", "multiples of a bus word (register BUS), and end at 2**40 or below",
      "take them from the image" },
    { REPRISE_BAD_BASE, "the base address of an image", "a multiple of 4096",
      "bursts keep to pages; align the buffer to a page" },
    { REPRISE_TOO_FAR, "the end address of an image", "at most 2**40", "the memory port has 40 address bits" },
    { REPRISE_NO_CLOCK, "the hook clock", "there", "set it to a function that returns microseconds" },
    { REPRISE_NO_RESET, "the hook reset", "there",
      "set it to a function that resets the accelerator and the interconnect together" },
    { REPRISE_RESET_FAILED, "STATUS after the reset", "0", "the reset does not reach the accelerator" },
    { REPRISE_BAD_NUMBER, "the number of an image", "below the images of a batch (REPRISE_IMAGE_IMAGES)",
      "compile the network for more images" },
    { REPRISE_BAD_LEVEL, "a pixel", "at most the largest input level (REPRISE_IMAGE_INPUT_LEVELS)",
      "scale pixels to the levels of the network" },
    { REPRISE_BAD_PART, "the opcode of a command", "one that this driver knows",
      "take driver and image from the same version of Reprise" },
};

/* A text that is written up to its end; one character stays for the 0. */
struct output {
    char *at;
    size_t left;
};

static void say(struct output *to, const char *text)
{
    for (; *text != 0 && to->left > 1; text++) {
        *to->at++ = *text;
        to->left--;
    }
}

static void say_hex(struct output *to, uint64_t value)
{
    char digits[19];
    int at = 18;

    digits[at] = 0;
    do {
        digits[--at] = "0123456789abcdef"[value & 15];
        value >>= 4;
    } while (value != 0);
    digits[--at] = 'x';
    digits[--at] = '0';
    say(to, digits + at);
}

void reprise_message(const struct reprise *dev, enum reprise_result result, char *text, size_t size)
{
    struct output to;
    size_t i;

    if (size == 0)
        return;
    to.at = text;
    to.left = size;
    if (result == REPRISE_OK) {
        say(&to, "good");
        *to.at = 0;
        return;
    }
    for (i = 0; i < sizeof sentences / sizeof *sentences; i++) {
        if (sentences[i].result != (int)result)
            continue;
        if (sentences[i].field != NULL) {
            say(&to, sentences[i].field);
            say(&to, " must be ");
            say(&to, sentences[i].rule);
            say(&to, ", not ");
            say_hex(&to, dev->value);
            say(&to, ": ");
        } else {
            say(&to, "STATUS.error must be 0, not ");
            say_hex(&to, (uint64_t)result);
            say(&to, ", at command ");
            say_hex(&to, dev->value);
            say(&to, ": ");
        }
        say(&to, sentences[i].remedy);
        *to.at = 0;
        return;
    }
    say(&to, "an unknown result");
    *to.at = 0;
}
