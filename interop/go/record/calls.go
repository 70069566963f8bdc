package main

import (
	"context"

	"connectrpc.com/connect"

	fs "interop.envd.test/gen/filesystem"
	ps "interop.envd.test/gen/process"
)

// What several cases share: calls, and the parts of messages.

func start(request *ps.StartRequest) func(context.Context, clients) error {
	return func(ctx context.Context, c clients) error {
		stream, err := c.process.Start(ctx, connect.NewRequest(request))
		return drain(stream, err)
	}
}

func drain[T any](stream *connect.ServerStreamForClient[T], err error) error {
	if err != nil {
		return err
	}
	for stream.Receive() {
	}
	if err := stream.Err(); err != nil {
		return err
	}
	return stream.Close()
}

func list(ctx context.Context, c clients) error {
	_, err := c.process.List(ctx, connect.NewRequest(&ps.ListRequest{}))
	return err
}

func stat(ctx context.Context, c clients) error {
	_, err := c.filesystem.Stat(ctx, connect.NewRequest(&fs.StatRequest{Path: "/home/user/a.txt"}))
	return err
}

func streamInput(ctx context.Context, c clients) error {
	stream := c.process.StreamInput(ctx)
	for _, request := range []*ps.StreamInputRequest{
		{Event: &ps.StreamInputRequest_Start{Start: &ps.StreamInputRequest_StartEvent{Process: byTag("job-1")}}},
		{Event: &ps.StreamInputRequest_Data{Data: &ps.StreamInputRequest_DataEvent{
			Input: &ps.ProcessInput{Input: &ps.ProcessInput_Stdin{Stdin: []byte("short\n")}},
		}}},
		{Event: &ps.StreamInputRequest_Data{Data: &ps.StreamInputRequest_DataEvent{
			Input: &ps.ProcessInput{Input: &ps.ProcessInput_Pty{Pty: make([]byte, 96)}},
		}}},
		{Event: &ps.StreamInputRequest_Keepalive{Keepalive: &ps.StreamInputRequest_KeepAlive{}}},
	} {
		if err := stream.Send(request); err != nil {
			return err
		}
	}
	_, err := stream.CloseAndReceive()
	return err
}

func byTag(tag string) *ps.ProcessSelector {
	return &ps.ProcessSelector{Selector: &ps.ProcessSelector_Tag{Tag: tag}}
}

func byPID(pid uint32) *ps.ProcessSelector {
	return &ps.ProcessSelector{Selector: &ps.ProcessSelector_Pid{Pid: pid}}
}

func event(e *ps.ProcessEvent) *ps.StartResponse {
	return &ps.StartResponse{Event: e}
}

func started(pid uint32) *ps.StartResponse {
	return event(&ps.ProcessEvent{Event: &ps.ProcessEvent_Start{Start: &ps.ProcessEvent_StartEvent{Pid: pid}}})
}

func ended(end *ps.ProcessEvent_EndEvent) *ps.StartResponse {
	return event(&ps.ProcessEvent{Event: &ps.ProcessEvent_End{End: end}})
}

func stdout(bytes []byte) *ps.StartResponse {
	return data(&ps.ProcessEvent_DataEvent{Output: &ps.ProcessEvent_DataEvent_Stdout{Stdout: bytes}})
}

func stderr(bytes []byte) *ps.StartResponse {
	return data(&ps.ProcessEvent_DataEvent{Output: &ps.ProcessEvent_DataEvent_Stderr{Stderr: bytes}})
}

func pty(bytes []byte) *ps.StartResponse {
	return data(&ps.ProcessEvent_DataEvent{Output: &ps.ProcessEvent_DataEvent_Pty{Pty: bytes}})
}

func data(d *ps.ProcessEvent_DataEvent) *ps.StartResponse {
	return event(&ps.ProcessEvent{Event: &ps.ProcessEvent_Data{Data: d}})
}

func change(path string, kind fs.EventType) *fs.WatchDirResponse {
	event := &fs.FilesystemEvent{Name: path, Type: kind}
	return &fs.WatchDirResponse{Event: &fs.WatchDirResponse_Filesystem{Filesystem: event}}
}
