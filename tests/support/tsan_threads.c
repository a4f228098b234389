// C11's threads by pthreads, in every program that is built for the thread sanitizer. GCC 12's sanitizer knows a thread by its
// pthread_create, which thrd_create does not call; librdkafka starts its threads by thrd_create where the C library has it, and a
// thread that the sanitizer does not know crashes in the first function it intercepts. A symbol of the program goes before the
// C library's. What librdkafka does inside is not instrumented either way: see tsan.supp.

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

struct start {
  thrd_start_t function;
  void* argument;
};

static void* run(void* argument) {
  const struct start start = *(struct start*)argument;
  free(argument);
  return (void*)(intptr_t)start.function(start.argument);
}

int thrd_create(thrd_t* thread, thrd_start_t function, void* argument) {
  struct start* start = malloc(sizeof *start);
  if (start == NULL) return thrd_nomem;
  *start = (struct start){function, argument};
  if (pthread_create(thread, NULL, run, start) == 0) return thrd_success;
  free(start);
  return thrd_error;
}

int thrd_join(thrd_t thread, int* result) {
  void* returned = NULL;
  if (pthread_join(thread, &returned) != 0) return thrd_error;
  if (result != NULL) *result = (int)(intptr_t)returned;
  return thrd_success;
}

int thrd_detach(thrd_t thread) { return pthread_detach(thread) == 0 ? thrd_success : thrd_error; }
