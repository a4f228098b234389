#include "tests/support/lock_counter.hpp"

#include <dlfcn.h>
#include <pthread.h>
#include <time.h>

namespace {
thread_local constinit std::uint64_t locks __attribute__((tls_model("initial-exec"))) = 0;
}  // namespace

namespace weir {
std::uint64_t locks_on_this_thread() { return locks; }
}  // namespace weir

// The real function is looked up at the first call. Two threads may both look: they find the same.
#define WEIR_COUNTED(function, parameters, arguments) \
  extern "C" int function parameters noexcept(noexcept(::function arguments)) { \
    static constinit decltype(&::function) real = nullptr; \
    auto found = __atomic_load_n(&real, __ATOMIC_ACQUIRE); \
    if (found == nullptr) { \
      found = reinterpret_cast<decltype(&::function)>(dlsym(RTLD_NEXT, #function)); \
      __atomic_store_n(&real, found, __ATOMIC_RELEASE); \
    } \
    ++locks; \
    return found arguments; \
  }

WEIR_COUNTED(pthread_mutex_lock, (pthread_mutex_t* m), (m))
WEIR_COUNTED(pthread_mutex_trylock, (pthread_mutex_t* m), (m))
WEIR_COUNTED(pthread_mutex_timedlock, (pthread_mutex_t* m, const timespec* t), (m, t))
WEIR_COUNTED(pthread_mutex_clocklock, (pthread_mutex_t* m, clockid_t c, const timespec* t), (m, c, t))
WEIR_COUNTED(pthread_rwlock_rdlock, (pthread_rwlock_t* l), (l))
WEIR_COUNTED(pthread_rwlock_wrlock, (pthread_rwlock_t* l), (l))
WEIR_COUNTED(pthread_rwlock_tryrdlock, (pthread_rwlock_t* l), (l))
WEIR_COUNTED(pthread_rwlock_trywrlock, (pthread_rwlock_t* l), (l))
WEIR_COUNTED(pthread_spin_lock, (pthread_spinlock_t* l), (l))
WEIR_COUNTED(pthread_cond_wait, (pthread_cond_t* c, pthread_mutex_t* m), (c, m))
WEIR_COUNTED(pthread_cond_timedwait, (pthread_cond_t* c, pthread_mutex_t* m, const timespec* t), (c, m, t))
WEIR_COUNTED(pthread_cond_clockwait, (pthread_cond_t* c, pthread_mutex_t* m, clockid_t k, const timespec* t), (c, m, k, t))
