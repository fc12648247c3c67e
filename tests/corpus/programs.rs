//! The list of all programs: one folder per class, one file per program.

/// What kind of mistake a program shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Class {
    /// A lock that is never released, or taken in a circle.
    Resource,
    /// A message that never comes or is never taken, a signal that is missed.
    Communication,
    /// Locks and messages that wait for each other.
    Mixed,
    /// One wait, and nothing around it.
    Micro,
    /// What a detector cannot see that asks what is still reachable.
    Unreachable,
    /// What a verdict is easily wrong about: chains of waits, and handles in odd places.
    Hard,
    /// No mistake at all.
    Clean,
}

pub(crate) struct Program {
    pub(crate) class: Class,
    pub(crate) name: &'static str,
    /// Its text, with the marks that say what is to be found.
    pub(crate) source: &'static str,
    pub(crate) run: Run,
}

#[derive(Clone, Copy)]
pub(crate) enum Run {
    /// Buggy, or fixed.
    Both(fn(bool)),
    /// There is nothing to fix.
    Clean(fn()),
}

impl Program {
    /// Class and name.
    pub(crate) fn path(&self) -> String {
        format!("{}/{}", self.class.name(), self.name)
    }
}

impl Class {
    pub(crate) const ALL: [Class; 7] = [
        Class::Resource,
        Class::Communication,
        Class::Mixed,
        Class::Micro,
        Class::Unreachable,
        Class::Hard,
        Class::Clean,
    ];

    /// Its folder.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Class::Resource => "resource",
            Class::Communication => "communication",
            Class::Mixed => "mixed",
            Class::Micro => "micro",
            Class::Unreachable => "unreachable",
            Class::Hard => "hard",
            Class::Clean => "clean",
        }
    }

    /// Whether its programs are kernels of real bugs.
    pub(crate) fn is_kernels(self) -> bool {
        matches!(self, Class::Resource | Class::Communication | Class::Mixed)
    }
}

macro_rules! programs {
    ($($class:ident $folder:ident $run:ident { $($name:ident)* })*) => {
        $(mod $folder { $(pub(crate) mod $name;)* })*

        pub(crate) const PROGRAMS: &[Program] = &[$($(Program {
            class: Class::$class,
            name: stringify!($name),
            source: include_str!(concat!("programs/", stringify!($folder), "/", stringify!($name), ".rs")),
            run: Run::$run($folder::$name::program),
        }),*),*];
    };
}

programs! {
    Resource resource Both {
        cockroach584 cockroach3710 cockroach6181 cockroach7504 cockroach9935 cockroach10214
        cockroach16167 etcd5509 etcd6708 etcd10492 grpc795 grpc3017 hugo3251 hugo5379
        kubernetes13135 kubernetes30872 kubernetes58107 kubernetes62464 moby4951 moby7559
        moby17176 moby36114 syncthing4829
    }
    Communication communication Both {
        cockroach2448 cockroach10790 cockroach13197 cockroach13755 cockroach18101
        cockroach24808 cockroach25456 cockroach35073 cockroach35931 etcd6857 grpc660 grpc862
        grpc1275 grpc1424 istio17860 istio18454 kubernetes5316 kubernetes11298
        kubernetes25331 kubernetes38669 kubernetes70277 moby4395 moby21233 moby27782
        moby29733 moby30408 moby33293 moby33781 syncthing5795
    }
    Mixed mixed Both {
        cockroach1055 cockroach1462 etcd6873 etcd7443 etcd7492 etcd7902 grpc1353 grpc1460
        istio16224 kubernetes1321 kubernetes6632 kubernetes10182 kubernetes26980 moby25384
        moby28462 serving2137
    }
    Micro micro Both {
        condition contract double_send early_return global_channel mixture mutex
        nil_receive nil_send no_close n_cast receive rwlock_read rwlock_write select
        select_no_cases send timeout wait_group
    }
    Unreachable unreachable Both {
        global_channel global_mutex global_rwlock global_wait_group lone_double_lock
        on_a_running_stack pending_timer sleep_loop
    }
    Hard hard Both {
        unlock_chain crossed_handles forgotten_handle thread_local_handle handle_in_a_message another_scope late_timer stranger adopted_stranger dead_arm context_deadline context_without_end many_readers once_reentry once_and_channel std_once permits barrier_of_three counted_below_zero nested_scopes made_by_a_destructor heir_of_a_leak crossed_joins joins_itself limited_group signal_under_a_lock own_receiver future_without_waker future_with_a_waker accepts_for_ever busy_loop ticker_for_ever never_called call_for_ever pool_of_others
    }
    Clean clean Clean {
        weak_handle slow_stranger slow_pool slow_timer context_deadline daemon unwound_owner
        barrier cancellation_tree error_group fan_in_fan_out future_by_channel
        generator_closed_early graceful_shutdown once pipeline producer_consumer pub_sub
        rate_limiter retry_with_backoff semaphore ticker_stopped worker_pool
    }
}
