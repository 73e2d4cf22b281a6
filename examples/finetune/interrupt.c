/*
 * interrupt.c — Ctrl-C. The handler only sets a flag, which the progress callback reads
 * between two steps; the library itself installs no handler. The second signal finds the
 * default action again and kills.
 */
#include "cli.h"

#include <signal.h>
#include <string.h>

static volatile sig_atomic_t interrupted;

static void
on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

void
cli_catch_signals(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = (int)SA_RESETHAND;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

int
cli_interrupted(void)
{
    return interrupted != 0;
}
