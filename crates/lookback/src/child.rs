//! Programs that run as children of lookback, and never longer than it.
//!
//! A child that is dropped is ended with all that it has started: by its process group, and on Windows by a Job Object,
//! which the system also ends when lookback itself has crashed. Elsewhere a child then finds its input
//! at its end and its output closed, and leaves by itself.

use process_wrap::tokio::{ChildWrapper, CommandWrap, KillOnDrop};
use tokio::process::Command;

/// A child that is ended, with all that it has started, when it is dropped.
#[derive(Debug)]
pub(crate) struct Child(pub(crate) Box<dyn ChildWrapper>);

/// Whether it is to run beside recording, or is a part of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Priority {
    /// Recording, and OBS beside it, come first.
    Low,
    Usual,
}

impl Child {
    pub(crate) fn start(command: Command, priority: Priority) -> std::io::Result<Self> {
        let mut command = CommandWrap::from(command);
        command.wrap(KillOnDrop);
        #[cfg(unix)]
        command.wrap(process_wrap::tokio::ProcessGroup::leader());
        #[cfg(windows)]
        {
            use process_wrap::tokio::{CreationFlags, JobObject};
            use windows::Win32::System::Threading::{
                BELOW_NORMAL_PRIORITY_CLASS, CREATE_NO_WINDOW,
            };
            let flags = match priority {
                Priority::Low => BELOW_NORMAL_PRIORITY_CLASS | CREATE_NO_WINDOW,
                Priority::Usual => CREATE_NO_WINDOW,
            };
            command.wrap(CreationFlags(flags));
            command.wrap(JobObject);
        }
        let child = command.spawn()?;
        #[cfg(unix)]
        if priority == Priority::Low {
            give_way(child.id());
        }
        Ok(Self(child))
    }
}

/// A system that refuses loses nothing by it.
#[cfg(unix)]
fn give_way(child: Option<u32>) {
    let id = child.and_then(|id| i32::try_from(id).ok());
    if let Some(group) = id.and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::setpriority_pgrp(Some(group), 10);
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.0.start_kill();
    }
}
