package main

import (
	"context"

	"connectrpc.com/connect"

	fs "interop.envd.test/gen/filesystem"
	"interop.envd.test/gen/filesystem/filesystemconnect"
	ps "interop.envd.test/gen/process"
	"interop.envd.test/gen/process/processconnect"
)

// The server of a case: it reads what comes, sends the answers, then the failure if there is one.

type processServer struct {
	processconnect.UnimplementedProcessHandler
	wireCase
}

type filesystemServer struct {
	filesystemconnect.UnimplementedFilesystemHandler
	wireCase
}

func (c wireCase) processServer() processServer {
	return processServer{wireCase: c}
}

func (c wireCase) filesystemServer() filesystemServer {
	return filesystemServer{wireCase: c}
}

func one[T any](c wireCase) (*connect.Response[T], error) {
	if c.failure != nil {
		return nil, c.failure
	}
	return connect.NewResponse(any(c.answers[0]).(*T)), nil
}

func several[T any](c wireCase, stream *connect.ServerStream[T]) error {
	for _, answer := range c.answers {
		if err := stream.Send(any(answer).(*T)); err != nil {
			return err
		}
	}
	return c.failure
}

func (s processServer) List(context.Context, *connect.Request[ps.ListRequest]) (*connect.Response[ps.ListResponse], error) {
	return one[ps.ListResponse](s.wireCase)
}

func (s processServer) Start(_ context.Context, _ *connect.Request[ps.StartRequest], stream *connect.ServerStream[ps.StartResponse]) error {
	return several(s.wireCase, stream)
}

func (s processServer) Connect(_ context.Context, _ *connect.Request[ps.ConnectRequest], stream *connect.ServerStream[ps.ConnectResponse]) error {
	return several(s.wireCase, stream)
}

func (s processServer) StreamInput(_ context.Context, stream *connect.ClientStream[ps.StreamInputRequest]) (*connect.Response[ps.StreamInputResponse], error) {
	for stream.Receive() {
	}
	if err := stream.Err(); err != nil {
		return nil, err
	}
	return one[ps.StreamInputResponse](s.wireCase)
}

func (s processServer) SendInput(context.Context, *connect.Request[ps.SendInputRequest]) (*connect.Response[ps.SendInputResponse], error) {
	return one[ps.SendInputResponse](s.wireCase)
}

func (s processServer) SendSignal(context.Context, *connect.Request[ps.SendSignalRequest]) (*connect.Response[ps.SendSignalResponse], error) {
	return one[ps.SendSignalResponse](s.wireCase)
}

func (s processServer) Update(context.Context, *connect.Request[ps.UpdateRequest]) (*connect.Response[ps.UpdateResponse], error) {
	return one[ps.UpdateResponse](s.wireCase)
}

func (s filesystemServer) Stat(context.Context, *connect.Request[fs.StatRequest]) (*connect.Response[fs.StatResponse], error) {
	return one[fs.StatResponse](s.wireCase)
}

func (s filesystemServer) ListDir(context.Context, *connect.Request[fs.ListDirRequest]) (*connect.Response[fs.ListDirResponse], error) {
	return one[fs.ListDirResponse](s.wireCase)
}

func (s filesystemServer) WatchDir(_ context.Context, _ *connect.Request[fs.WatchDirRequest], stream *connect.ServerStream[fs.WatchDirResponse]) error {
	return several(s.wireCase, stream)
}
