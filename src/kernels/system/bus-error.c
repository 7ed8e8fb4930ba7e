/*
 * Ends the process with a message and an exit status if a mapped file cannot be read (SIGBUS): the file became shorter, or its
 * disk failed. The thread that reads it cannot continue, and JavaScript cannot run in a signal handler, so both are set before. The
 * handler calls only async-signal-safe functions.
 */
#define _POSIX_C_SOURCE 200809L
#include <signal.h>
#include <string.h>
#include <unistd.h>

static char message[1024];
static size_t message_bytes;
static int exit_status;
static struct sigaction previous;

static void handle(int number, siginfo_t *info, void *context) {
  (void)context;
  if (info->si_code == BUS_ADRERR) {
    ssize_t written = write(STDERR_FILENO, message, message_bytes);
    (void)written;
    _exit(exit_status);
  }
  /* Another cause, such as `kill -BUS`: use the default action. */
  sigaction(number, &previous, 0);
  raise(number);
}

/* Returns 0 if the handler is installed. A longer message is cut. */
__attribute__((visibility("default"))) int cogvlm2_exit_on_bus_error(const char *text, int status) {
  message_bytes = strnlen(text, sizeof message);
  memcpy(message, text, message_bytes);
  exit_status = status;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = handle;
  action.sa_flags = SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  return sigaction(SIGBUS, &action, &previous);
}
