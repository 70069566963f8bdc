package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"connectrpc.com/connect"

	"interop.envd.test/gen/filesystem/filesystemconnect"
	ps "interop.envd.test/gen/process"
	"interop.envd.test/gen/process/processconnect"
)

// protocol is one way to speak to the same services.
type protocol struct {
	name    string
	http2   bool
	options []connect.ClientOption
}

var protocols = []protocol{
	{"connect-proto", false, nil},
	{"connect-json", false, []connect.ClientOption{connect.WithProtoJSON()}},
	{"connect-gzip", false, []connect.ClientOption{connect.WithSendGzip()}},
	{"connect-h2c", true, nil},
	{"grpc-web", false, []connect.ClientOption{connect.WithGRPCWeb()}},
	{"grpc-h2c", true, []connect.ClientOption{connect.WithGRPC()}},
}

// guest is the services of the mock, by one protocol.
type guest struct {
	name       string
	rest       rest
	process    processconnect.ProcessClient
	filesystem filesystemconnect.FilesystemClient
}

func dial(base string, p protocol) guest {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Protocols = new(http.Protocols)
	transport.Protocols.SetHTTP1(!p.http2)
	transport.Protocols.SetUnencryptedHTTP2(p.http2)
	client := &http.Client{Transport: transport}
	return guest{
		name:       p.name,
		rest:       newREST(base),
		process:    processconnect.NewProcessClient(client, base, p.options...),
		filesystem: filesystemconnect.NewFilesystemClient(client, base, p.options...),
	}
}

// result is what a command left.
type result struct {
	pid                 uint32
	stdout, stderr, pty string
	end                 *ps.ProcessEvent_EndEvent
}

// stream is what Start and Connect both give.
type stream interface {
	Receive() bool
	Err() error
	Close() error
}

// events makes one reader of the two kinds of stream.
type events struct {
	stream
	next func() *ps.ProcessEvent
}

func (g guest) start(ctx context.Context, request *ps.StartRequest) (events, error) {
	s, err := g.process.Start(ctx, connect.NewRequest(request))
	if err != nil {
		return events{}, err
	}
	return events{s, func() *ps.ProcessEvent { return s.Msg().GetEvent() }}, nil
}

func (g guest) connect(ctx context.Context, tag string) (events, error) {
	s, err := g.process.Connect(ctx, connect.NewRequest(&ps.ConnectRequest{Process: byTag(tag)}))
	if err != nil {
		return events{}, err
	}
	return events{s, func() *ps.ProcessEvent { return s.Msg().GetEvent() }}, nil
}

// started expects the first event to be the start, and returns its pid.
func (e events) started() (uint32, error) {
	if !e.Receive() {
		return 0, fmt.Errorf("expected a start event, found the end of the stream (%w)", e.Err())
	}
	start, ok := e.next().GetEvent().(*ps.ProcessEvent_Start)
	if !ok || start.Start.GetPid() == 0 {
		return 0, fmt.Errorf("expected a start event with a pid, found %v", e.next())
	}
	return start.Start.GetPid(), nil
}

// until adds events to the result until it satisfies, or the command has ended.
func (e events) until(r *result, satisfied func(*result) bool) error {
	for !satisfied(r) && e.Receive() {
		if r.end != nil {
			return fmt.Errorf("expected nothing after the end event, found %v", e.next())
		}
		switch event := e.next().GetEvent().(type) {
		case *ps.ProcessEvent_Data:
			r.stdout += string(event.Data.GetStdout())
			r.stderr += string(event.Data.GetStderr())
			r.pty += string(event.Data.GetPty())
		case *ps.ProcessEvent_End:
			r.end = event.End
		case *ps.ProcessEvent_Start:
			return errors.New("expected one start event, found two")
		}
	}
	return e.Err()
}

// rest of the events up to the end of the stream, which must come after an end event.
func (e events) finish(r *result) error {
	defer e.Close()
	if err := e.until(r, func(*result) bool { return false }); err != nil {
		return err
	}
	if r.end == nil {
		return errors.New("expected an end event before the end of the stream, found none")
	}
	return nil
}

// exec runs a command to its end.
func (g guest) exec(ctx context.Context, cmd string, args ...string) (*result, error) {
	no := false
	e, err := g.start(ctx, &ps.StartRequest{Process: &ps.ProcessConfig{Cmd: cmd, Args: args}, Stdin: &no})
	if err != nil {
		return nil, err
	}
	pid, err := e.started()
	if err != nil {
		return nil, err
	}
	r := &result{pid: pid}
	return r, e.finish(r)
}

func (r *result) expect(exitCode int32, exited bool, status string) error {
	return errors.Join(
		expect("exit code", exitCode, r.end.GetExitCode()),
		expect("exited", exited, r.end.GetExited()),
		expect("status", status, r.end.GetStatus()),
	)
}

func byTag(tag string) *ps.ProcessSelector {
	return &ps.ProcessSelector{Selector: &ps.ProcessSelector_Tag{Tag: tag}}
}

func byPID(pid uint32) *ps.ProcessSelector {
	return &ps.ProcessSelector{Selector: &ps.ProcessSelector_Pid{Pid: pid}}
}

// expectCode is an error unless err is of this code and its message holds the text.
func expectCode(err error, code connect.Code, text string) error {
	if err == nil {
		return fmt.Errorf("expected %v, found success", code)
	}
	if connect.CodeOf(err) != code || !strings.Contains(err.Error(), text) {
		return fmt.Errorf("expected %v with %q, found %v", code, text, err)
	}
	return nil
}
