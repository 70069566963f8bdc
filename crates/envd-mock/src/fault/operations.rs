//! The operations of envd in all generations, and what each of them has: a body, envelopes, a process, a path. One table;
//! what follows from it for a rule is `dead`'s.

/// One operation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OperationInfo {
    /// `process.Process/Start`, or `GET /files`.
    pub(crate) name: &'static str,
    pub(crate) method: &'static str,
    /// With its leading slash.
    pub(crate) path: &'static str,
    /// The first and the last generation that has it.
    generations: (u8, u8),
    pub(crate) request: RequestBody,
    pub(crate) answer: AnswerBody,
    pub(crate) names: Names,
    pub(crate) inside: Inside,
}

/// What a request carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestBody {
    None,
    /// Bytes that are no message, or none where the client sends none.
    Bytes,
    /// One message or more.
    Messages,
}

/// What an answer carries when all is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AnswerBody {
    None,
    /// A JSON object.
    Object,
    /// Bytes of any kind.
    Bytes,
    /// One message, which is an object in JSON and an envelope in gRPC.
    Message,
    /// Messages, each in its envelope.
    Messages,
    /// Messages with the output of a process.
    Output,
}

/// What a request names, so that a rule can ask for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Names {
    /// A process, by its tag, its number or its command.
    pub(crate) process: bool,
    /// A file or directory.
    pub(crate) path: bool,
}

/// What of the guest a call has to do with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inside {
    None,
    /// A process is started.
    Start,
    /// Something on the disk is looked at.
    Read,
    /// The content of a file is read.
    ReadContent,
    /// Something on the disk is made or moved.
    Make,
    /// The content of a file is written.
    MakeContent,
    /// Something on the disk is removed.
    Remove,
    /// A preload is started.
    Preload,
}

const NOTHING: Names = Names { process: false, path: false };
const PROCESS: Names = Names { process: true, path: false };
const PATH: Names = Names { process: false, path: true };

/// All of them; HEAD and OPTIONS are derived, see [`all`].
#[rustfmt::skip]
const TABLE: &[OperationInfo] = {
    use AnswerBody as A;
    use RequestBody as R;
    &[
        rest("GET /health", (1, 3), R::None, A::Object, NOTHING, Inside::None),
        rest("GET /metrics", (1, 3), R::None, A::Object, NOTHING, Inside::None),
        rest("GET /envs", (1, 3), R::None, A::Object, NOTHING, Inside::None),
        rest("POST /init", (1, 3), R::Bytes, A::None, NOTHING, Inside::None),
        rest("POST /snapshot/prepare", (1, 3), R::Bytes, A::None, NOTHING, Inside::None),
        rest("GET /activity", (2, 3), R::None, A::Object, NOTHING, Inside::None),
        rest("GET /memory/preload", (2, 3), R::None, A::Object, NOTHING, Inside::None),
        rest("POST /memory/preload", (2, 3), R::Bytes, A::Object, NOTHING, Inside::Preload),
        rest("POST /memory/preload/cancel", (2, 3), R::Bytes, A::None, NOTHING, Inside::None),
        rest("GET /files", (1, 3), R::None, A::Bytes, PATH, Inside::ReadContent),
        rest("POST /files", (1, 2), R::Bytes, A::Bytes, PATH, Inside::MakeContent),
        rest("PUT /files", (3, 3), R::Bytes, A::Bytes, PATH, Inside::MakeContent),
        rest("POST /volumes/mount", (3, 3), R::Bytes, A::None, NOTHING, Inside::None),
        rest("POST /volumes/unmount", (3, 3), R::Bytes, A::None, NOTHING, Inside::None),
        rpc("/process.Process/List", A::Message, NOTHING, Inside::None),
        rpc("/process.Process/Connect", A::Output, PROCESS, Inside::None),
        rpc("/process.Process/Start", A::Output, PROCESS, Inside::Start),
        rpc("/process.Process/Update", A::Message, PROCESS, Inside::None),
        rpc("/process.Process/StreamInput", A::Messages, PROCESS, Inside::None),
        rpc("/process.Process/SendInput", A::Message, PROCESS, Inside::None),
        rpc("/process.Process/SendSignal", A::Message, PROCESS, Inside::None),
        rpc("/process.Process/CloseStdin", A::Message, PROCESS, Inside::None),
        rpc("/filesystem.Filesystem/Stat", A::Message, PATH, Inside::Read),
        rpc("/filesystem.Filesystem/MakeDir", A::Message, PATH, Inside::Make),
        rpc("/filesystem.Filesystem/Move", A::Message, PATH, Inside::Make),
        rpc("/filesystem.Filesystem/ListDir", A::Message, PATH, Inside::Read),
        rpc("/filesystem.Filesystem/Remove", A::Message, PATH, Inside::Remove),
        rpc("/filesystem.Filesystem/WatchDir", A::Messages, PATH, Inside::Read),
        rpc("/filesystem.Filesystem/CreateWatcher", A::Message, PATH, Inside::Read),
        rpc("/filesystem.Filesystem/GetWatcherEvents", A::Message, NOTHING, Inside::None),
        rpc("/filesystem.Filesystem/RemoveWatcher", A::Message, NOTHING, Inside::None),
    ]
};

const fn rest(
    name: &'static str,
    generations: (u8, u8),
    request: RequestBody,
    answer: AnswerBody,
    names: Names,
    inside: Inside,
) -> OperationInfo {
    let (method, rest) =
        name.split_at(if name.as_bytes()[0] == b'G' || name.as_bytes()[1] == b'U' { 3 } else { 4 });
    let (_, path) = rest.split_at(1);
    OperationInfo { name, method, path, generations, request, answer, names, inside }
}

const fn rpc(path: &'static str, answer: AnswerBody, names: Names, inside: Inside) -> OperationInfo {
    let (_, name) = path.split_at(1);
    let request = RequestBody::Messages;
    OperationInfo { name, method: "POST", path, generations: (1, 3), request, answer, names, inside }
}

impl OperationInfo {
    pub(crate) fn is_in(&self, generation: u8) -> bool {
        (self.generations.0..=self.generations.1).contains(&generation)
    }

    pub(crate) fn is_rpc(&self) -> bool {
        self.request == RequestBody::Messages
    }

    /// The generations that have it, in words.
    pub(crate) fn generations(&self) -> String {
        match self.generations {
            (first, last) if first == last => format!("generation {first}"),
            (first, last) => format!("generations {first} to {last}"),
        }
    }
}

/// The operations that have a name, in all generations.
pub(crate) fn named() -> &'static [OperationInfo] {
    TABLE
}

/// Everything that can be called, in all generations: HEAD goes with GET, and OPTIONS with every path.
pub(crate) fn all() -> impl Iterator<Item = OperationInfo> {
    TABLE.iter().flat_map(|operation| {
        let bodyless = |method| OperationInfo {
            method,
            request: RequestBody::None,
            answer: AnswerBody::None,
            // What is opened can be refused, but no content passes.
            inside: if operation.inside == Inside::ReadContent { Inside::Read } else { Inside::None },
            ..*operation
        };
        let head = (operation.method == "GET").then(|| bodyless("HEAD"));
        let options = OperationInfo { inside: Inside::None, ..bodyless("OPTIONS") };
        [Some(*operation), head, Some(options)].into_iter().flatten()
    })
}

/// The RPC at a path with its leading slash.
pub(crate) fn rpc_at(path: &str) -> Option<&'static OperationInfo> {
    TABLE.iter().find(|operation| operation.is_rpc() && operation.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generation::Generation;

    /// Kind: two lists of the same facts that come apart.
    #[test]
    fn the_table_has_the_operations_of_each_generation() {
        for generation in Generation::ALL {
            let traits = generation.traits();
            let routes = traits.routes.iter().flat_map(|route| {
                let methods = route.methods.split(',').filter(|method| *method != "HEAD");
                methods.map(|method| format!("{method} {}", route.path))
            });
            let rpcs = crate::routes::operations().into_iter().filter(|operation| !operation.contains(' '));
            let mut served: Vec<String> = routes.chain(rpcs).collect();
            let here = TABLE.iter().filter(|operation| operation.is_in(generation.number()));
            let mut known: Vec<String> = here.map(|operation| operation.name.to_owned()).collect();
            served.sort();
            known.sort();
            assert_eq!(known, served, "generation {}", generation.number());
        }
    }

    #[test]
    fn a_name_is_made_of_method_and_path() {
        for operation in TABLE {
            let rpc = operation.path.strip_prefix('/').unwrap_or_default();
            let rest = format!("{} {}", operation.method, operation.path);
            assert_eq!(operation.name, if operation.is_rpc() { rpc } else { &rest });
        }
    }

    /// Kind: a condition that is called dead and can be met, or the other way round.
    #[test]
    fn an_rpc_names_what_its_first_message_names() {
        for method in crate::routes::operations().iter().filter(|operation| !operation.contains(' ')) {
            let names = rpc_at(&format!("/{method}")).unwrap().names;
            assert_eq!(names != NOTHING, crate::effect::names_something(method), "{method}");
        }
    }
}
