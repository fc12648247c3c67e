/* A C library that starts a thread of its own, which never ends. */

#include <pthread.h>
#include <unistd.h>

static void *serve(void *argument) {
    (void)argument;
    for (;;)
        pause();
    return 0;
}

int gopark_test_start_thread(void) {
    pthread_t thread;
    return pthread_create(&thread, 0, serve, 0);
}
