package main

import (
	"context"
	"errors"
	"runtime/debug"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	fs "interop.envd.test/gen/filesystem"
	ps "interop.envd.test/gen/process"
)

// encoding is how the client of a case speaks.
type encoding string

const (
	asProto encoding = "proto"
	asJSON  encoding = "json"
	asGzip  encoding = "gzip" // binary; messages from compressMin on are compressed, smaller ones are not
)

// wireCase is one call and what the server answers it with.
type wireCase struct {
	name      string
	about     string
	operation string
	encoding  encoding
	answers   []proto.Message
	failure   error // sent after the answers
	fails     bool
	call      func(context.Context, clients) error
}

func (c wireCase) clientOptions() []connect.ClientOption {
	switch c.encoding {
	case asJSON:
		return []connect.ClientOption{connect.WithProtoJSON()}
	case asGzip:
		return []connect.ClientOption{connect.WithSendGzip(), connect.WithCompressMinBytes(c.compressMin())}
	default:
		return nil
	}
}

func (c wireCase) compressMin() int {
	if c.encoding == asGzip {
		return 64
	}
	return 1 << 20
}

func version() string {
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if module.Path == "connectrpc.com/connect" {
			return strings.TrimPrefix(module.Version, "v")
		}
	}
	return "of an unknown version"
}

// cases are all recordings: each shape in binary and JSON, and compressed where that shows something.
func cases() []wireCase {
	var all []wireCase
	for _, shape := range []struct {
		wireCase
		encodings []encoding
	}{
		{startShape(), []encoding{asProto, asJSON, asGzip}},
		{killedShape(), []encoding{asProto, asJSON}},
		{ptyShape(), []encoding{asProto, asJSON}},
		{startRefusedShape(), []encoding{asProto, asJSON}},
		{startBrokenShape(), []encoding{asProto, asJSON, asGzip}},
		{connectShape(), []encoding{asProto, asJSON}},
		{listShape(), []encoding{asProto, asJSON}},
		{emptyListShape(), []encoding{asProto, asJSON}},
		{streamInputShape(), []encoding{asProto, asJSON, asGzip}},
		{streamInputFailureShape(), []encoding{asProto, asJSON}},
		{sendInputShape(), []encoding{asProto, asJSON, asGzip}},
		{signalShape(), []encoding{asProto, asJSON}},
		{updateShape(), []encoding{asProto, asJSON}},
		{statShape(), []encoding{asProto, asJSON}},
		{statMissingShape(), []encoding{asProto, asJSON}},
		{listDirShape(), []encoding{asProto, asJSON, asGzip}},
		{watchShape(), []encoding{asProto, asJSON}},
	} {
		for _, encoding := range shape.encodings {
			c := shape.wireCase
			c.name += "-" + string(encoding)
			c.encoding = encoding
			c.fails = c.failure != nil
			all = append(all, c)
		}
	}
	return all
}

func startShape() wireCase {
	return wireCase{
		name:      "start",
		about:     "a command that writes on both streams and exits with 3",
		operation: "process.Process/Start",
		answers: []proto.Message{
			started(4242),
			stdout([]byte("hello\n")),
			stderr([]byte{0x00, 0xff, 0xfe, '\n'}),
			stdout([]byte(strings.Repeat("0123456789abcdef", 16))),
			ended(&ps.ProcessEvent_EndEvent{ExitCode: 3, Exited: true, Status: "exit status: 3"}),
		},
		call: start(&ps.StartRequest{
			Process: &ps.ProcessConfig{
				Cmd:  "/bin/sh",
				Args: []string{"-c", "echo hello; printf '\\000\\377\\376\\n' >&2; exit 3"},
				Envs: map[string]string{"GREETING": "hé\"llo"},
				Cwd:  proto.String("/home/user"),
			},
			Tag:   proto.String("job-1"),
			Stdin: proto.Bool(false),
		}),
	}
}

func killedShape() wireCase {
	return wireCase{
		name:      "start-killed",
		about:     "a command that a signal ends: exit code -1, exited left out",
		operation: "process.Process/Start",
		answers: []proto.Message{
			started(7),
			ended(&ps.ProcessEvent_EndEvent{ExitCode: -1, Status: "signal: 9 (SIGKILL)"}),
		},
		call: start(&ps.StartRequest{Process: &ps.ProcessConfig{Cmd: "sleep", Args: []string{"60"}}}),
	}
}

func ptyShape() wireCase {
	return wireCase{
		name:      "start-pty",
		about:     "a terminal: its output comes as pty bytes, a keepalive goes between, success leaves the exit code out",
		operation: "process.Process/Start",
		answers: []proto.Message{
			started(300),
			pty([]byte("\x1b[1m$\x1b[0m exit\r\n")),
			event(&ps.ProcessEvent{Event: &ps.ProcessEvent_Keepalive{Keepalive: &ps.ProcessEvent_KeepAlive{}}}),
			ended(&ps.ProcessEvent_EndEvent{Exited: true, Status: "exit status: 0"}),
		},
		call: start(&ps.StartRequest{
			Process: &ps.ProcessConfig{Cmd: "/bin/bash"},
			Pty:     &ps.PTY{Size: &ps.PTY_Size{Cols: 80, Rows: 24}},
			Tag:     proto.String("pty-1"),
			Stdin:   proto.Bool(true),
		}),
	}
}

func startRefusedShape() wireCase {
	return wireCase{
		name:      "start-refused",
		about:     "an error before the first event: nothing but the end frame",
		operation: "process.Process/Start",
		failure:   connect.NewError(connect.CodeInvalidArgument, errors.New("process config required")),
		call:      start(&ps.StartRequest{}),
	}
}

func startBrokenShape() wireCase {
	failure := connect.NewError(connect.CodeResourceExhausted, errors.New("the reader took nothing for 30s"))
	failure.Meta().Set("X-Stalled", "30s")
	detail, err := connect.NewErrorDetail(&ps.ProcessSelector{Selector: &ps.ProcessSelector_Tag{Tag: "job-2"}})
	if err != nil {
		panic(err)
	}
	failure.AddDetail(detail)
	return wireCase{
		name:      "start-broken",
		about:     "an error after two events: an end frame with code, message, detail and metadata",
		operation: "process.Process/Start",
		answers:   []proto.Message{started(9), stdout([]byte("cut"))},
		failure:   failure,
		call:      start(&ps.StartRequest{Process: &ps.ProcessConfig{Cmd: "yes"}, Tag: proto.String("job-2")}),
	}
}

func connectShape() wireCase {
	return wireCase{
		name:      "connect",
		about:     "attaching by tag",
		operation: "process.Process/Connect",
		answers: []proto.Message{
			&ps.ConnectResponse{Event: started(4242).Event},
			&ps.ConnectResponse{Event: stdout([]byte("late\n")).Event},
			&ps.ConnectResponse{Event: ended(&ps.ProcessEvent_EndEvent{Exited: true, Status: "exit status: 0"}).Event},
		},
		call: func(ctx context.Context, c clients) error {
			request := &ps.ConnectRequest{Process: byTag("job-1")}
			stream, err := c.process.Connect(ctx, connect.NewRequest(request))
			return drain(stream, err)
		},
	}
}

func listShape() wireCase {
	return wireCase{
		name:      "list",
		about:     "one process with a tag, one without",
		operation: "process.Process/List",
		answers: []proto.Message{&ps.ListResponse{Processes: []*ps.ProcessInfo{
			{
				Config: &ps.ProcessConfig{Cmd: "sleep", Args: []string{"60"}, Cwd: proto.String("/root")},
				Pid:    12, Tag: proto.String("nap"),
			},
			{Config: &ps.ProcessConfig{Cmd: "cat", Cwd: proto.String("/"), Envs: map[string]string{"A": "1"}}, Pid: 4294967295},
		}}},
		call: list,
	}
}

func emptyListShape() wireCase {
	return wireCase{
		name:      "list-empty",
		about:     "an empty message both ways: no bytes in binary, {} in JSON",
		operation: "process.Process/List",
		answers:   []proto.Message{&ps.ListResponse{}},
		call:      list,
	}
}

func streamInputShape() wireCase {
	return wireCase{
		name:      "stream-input",
		about:     "a client stream: start, data twice, keepalive",
		operation: "process.Process/StreamInput",
		answers:   []proto.Message{&ps.StreamInputResponse{}},
		call:      streamInput,
	}
}

func streamInputFailureShape() wireCase {
	return wireCase{
		name:      "stream-input-failed",
		about:     "a client stream that is answered with an error",
		operation: "process.Process/StreamInput",
		failure:   connect.NewError(connect.CodeNotFound, errors.New("process with tag job-1 not found")),
		call:      streamInput,
	}
}

func sendInputShape() wireCase {
	return wireCase{
		name:      "send-input",
		about:     "bytes for standard input, some of them not text",
		operation: "process.Process/SendInput",
		answers:   []proto.Message{&ps.SendInputResponse{}},
		call: func(ctx context.Context, c clients) error {
			data := append([]byte{0x00, 0x80, 0xff}, strings.Repeat("line\n", 20)...)
			_, err := c.process.SendInput(ctx, connect.NewRequest(&ps.SendInputRequest{
				Process: byPID(4242),
				Input:   &ps.ProcessInput{Input: &ps.ProcessInput_Stdin{Stdin: data}},
			}))
			return err
		},
	}
}

func signalShape() wireCase {
	return wireCase{
		name:      "send-signal",
		about:     "an enum value: 9 in binary, its name in JSON",
		operation: "process.Process/SendSignal",
		answers:   []proto.Message{&ps.SendSignalResponse{}},
		call: func(ctx context.Context, c clients) error {
			request := &ps.SendSignalRequest{Process: byPID(4242), Signal: ps.Signal_SIGNAL_SIGKILL}
			_, err := c.process.SendSignal(ctx, connect.NewRequest(request))
			return err
		},
	}
}

func updateShape() wireCase {
	return wireCase{
		name:      "update",
		about:     "a new size for a terminal",
		operation: "process.Process/Update",
		answers:   []proto.Message{&ps.UpdateResponse{}},
		call: func(ctx context.Context, c clients) error {
			request := &ps.UpdateRequest{Process: byTag("pty-1"), Pty: &ps.PTY{Size: &ps.PTY_Size{Cols: 132, Rows: 43}}}
			_, err := c.process.Update(ctx, connect.NewRequest(request))
			return err
		},
	}
}

func statShape() wireCase {
	return wireCase{
		name:      "stat",
		about:     "an entry with every field: a 64-bit size is a string in JSON, a timestamp RFC 3339 text",
		operation: "filesystem.Filesystem/Stat",
		answers: []proto.Message{&fs.StatResponse{Entry: &fs.EntryInfo{
			Name: "a.txt", Type: fs.FileType_FILE_TYPE_FILE, Path: "/home/user/a.txt", Size: 9007199254740993,
			Mode: 0o644, Permissions: "Lrwxrwxrwx", Owner: "user", Group: "user",
			ModifiedTime:  &timestamppb.Timestamp{Seconds: 1700000000, Nanos: 120000000},
			SymlinkTarget: proto.String("/home/user/b.txt"),
		}}},
		call: stat,
	}
}

func statMissingShape() wireCase {
	failure := connect.NewError(connect.CodeNotFound, errors.New("file not found: No such file or directory (os error 2)"))
	detail, err := connect.NewErrorDetail(&fs.StatRequest{Path: "/home/user/a.txt"})
	if err != nil {
		panic(err)
	}
	failure.AddDetail(detail)
	return wireCase{
		name:      "stat-missing",
		about:     "a unary error with a detail: always JSON, with the status of its code",
		operation: "filesystem.Filesystem/Stat",
		failure:   failure,
		call:      stat,
	}
}

func listDirShape() wireCase {
	directory := func(name string, seconds int64, nanos int32) *fs.EntryInfo {
		return &fs.EntryInfo{
			Name: name, Type: fs.FileType_FILE_TYPE_DIRECTORY, Path: "/root/" + name, Size: 4096, Mode: 0o755,
			Permissions: "drwxr-xr-x", Owner: "root", Group: "root",
			ModifiedTime: &timestamppb.Timestamp{Seconds: seconds, Nanos: nanos},
		}
	}
	return wireCase{
		name:      "list-dir",
		about:     "timestamps without a fraction, with nine digits, and before 1970",
		operation: "filesystem.Filesystem/ListDir",
		answers: []proto.Message{&fs.ListDirResponse{Entries: []*fs.EntryInfo{
			directory("whole", 1700000000, 0), directory("nanos", 1700000000, 1), directory("before", -1, 500000000),
		}}},
		call: func(ctx context.Context, c clients) error {
			request := &fs.ListDirRequest{Path: "/root/" + strings.Repeat("./", 40), Depth: 1}
			_, err := c.filesystem.ListDir(ctx, connect.NewRequest(request))
			return err
		},
	}
}

func watchShape() wireCase {
	return wireCase{
		name:      "watch-dir",
		about:     "start, two changes, a keepalive",
		operation: "filesystem.Filesystem/WatchDir",
		answers: []proto.Message{
			&fs.WatchDirResponse{Event: &fs.WatchDirResponse_Start{Start: &fs.WatchDirResponse_StartEvent{}}},
			change("/tmp/w/a", fs.EventType_EVENT_TYPE_CREATE),
			change("/tmp/w/a", fs.EventType_EVENT_TYPE_CHMOD),
			&fs.WatchDirResponse{Event: &fs.WatchDirResponse_Keepalive{Keepalive: &fs.WatchDirResponse_KeepAlive{}}},
		},
		call: func(ctx context.Context, c clients) error {
			request := &fs.WatchDirRequest{Path: "/tmp/w", Recursive: true}
			stream, err := c.filesystem.WatchDir(ctx, connect.NewRequest(request))
			return drain(stream, err)
		},
	}
}
