//! What a guest may use at most, by what was asked for and what the kernel counts.

use super::boot::BootError;
use super::config::{GuestConfig, Network, RootSpec};
use super::ids::Ids;
use super::ns::Limits;

/// Processes and threads of a guest behind walls, unless something else was asked for.
const PROCESSES: u32 = 1024;
/// The init, the namespaces that it makes, and a command.
const FEWEST: u32 = 4;
/// Less than that, and no program starts.
const LEAST_MEMORY: u64 = 4 << 20;
/// From this kernel on, processes are counted for each user namespace.
const COUNTED: (u32, u32) = (5, 14);

/// The limits of a guest.
///
/// # Errors
/// [`BootError::Limit`] when one was asked for that cannot be kept.
pub(super) fn limits_of(config: &GuestConfig, ids: Ids) -> Result<Limits, BootError> {
    let refused = |why: String| Err(BootError::Limit(why));
    if config.max_memory.is_some_and(|bytes| bytes < LEAST_MEMORY) {
        return refused(format!("a process needs at least {LEAST_MEMORY} bytes (--max-memory)"));
    }
    if config.programs_only && (config.max_processes.is_some() || config.max_memory.is_some()) {
        return refused("nothing real runs in it (--programs-only)".to_owned());
    }
    if config.root == RootSpec::Machine && config.network == Network::None {
        return refused("the machine as it is keeps its network (--network none with --root /)".to_owned());
    }
    let processes = match config.max_processes {
        Some(asked) if asked < FEWEST => {
            return refused(format!("it needs at least {FEWEST} processes (--max-processes)"));
        }
        Some(_) if config.root == RootSpec::Machine => {
            return refused(
                "on the machine as it is the kernel counts the processes of the whole machine; limit the container \
                 instead (--max-processes with --root /)"
                    .to_owned(),
            );
        }
        Some(_) if counts_for_the_machine(ids) => {
            return refused(format!(
                "before Linux {}.{} the kernel counts all processes of the mock's user (--max-processes)",
                COUNTED.0, COUNTED.1
            ));
        }
        Some(asked) => Some(asked),
        None if config.root == RootSpec::Machine || counts_for_the_machine(ids) => None,
        None => Some(PROCESSES),
    };
    Ok(Limits { processes, memory: config.max_memory })
}

/// Whether the guest's processes would be counted together with all others of the mock's user.
fn counts_for_the_machine(ids: Ids) -> bool {
    let release = rustix::system::uname();
    matches!(ids, Ids::Single { .. }) && version(&release.release().to_string_lossy()) < COUNTED
}

/// The first two numbers of a kernel's release.
fn version(release: &str) -> (u32, u32) {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|word| word.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_a_kernel_is_its_first_two_numbers() {
        assert_eq!(version("6.18.44-custom"), (6, 18));
        assert_eq!(version("5.4.0-150-generic"), (5, 4));
        assert_eq!(version("5.14-rc1"), (5, 14));
    }

    #[test]
    fn what_cannot_be_kept_is_refused_and_never_ignored() {
        let ids = Ids::Range { base: 1, count: 1 };
        let config = |change: fn(&mut GuestConfig)| {
            let mut config = GuestConfig::default();
            change(&mut config);
            limits_of(&config, ids)
        };
        assert_eq!(config(|_| ()).unwrap().processes, Some(PROCESSES));
        assert_eq!(config(|config| config.root = RootSpec::Machine).unwrap().processes, None);
        for refused in [
            config(|config| (config.root, config.max_processes) = (RootSpec::Machine, Some(100))),
            config(|config| (config.root, config.network) = (RootSpec::Machine, Network::None)),
            config(|config| config.max_processes = Some(3)),
            config(|config| config.max_memory = Some(1)),
            config(|config| (config.programs_only, config.max_memory) = (true, Some(1 << 30))),
        ] {
            assert!(matches!(refused, Err(BootError::Limit(_))), "{refused:?}");
        }
    }
}
