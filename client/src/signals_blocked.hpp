// Blocks all signals for this thread during its lifetime, and so for a thread that is started
// meanwhile. Signals are the program's, so its handlers should run on its own threads only.
#pragma once

#include <csignal>

namespace haypile {

// Restores the thread's signal mask in its destructor.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace haypile
