package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"connectrpc.com/connect"

	ps "interop.envd.test/gen/process"
)

func (g guest) runCommand(ctx context.Context) error {
	r, err := g.exec(ctx, "/bin/sh", "-c", `echo out; echo err >&2; echo "$GREETING"; echo $$; whoami; exit 3`)
	if err != nil {
		return err
	}
	return errors.Join(
		expect("stdout", fmt.Sprintf("out\nhello from init\n%d\nuser\n", r.pid), r.stdout),
		expect("stderr", "err\n", r.stderr),
		r.expect(3, true, "exit status: 3"),
	)
}

func (g guest) missingProgram(ctx context.Context) error {
	r, err := g.exec(ctx, "/no/such/program", "x")
	if err != nil {
		return err
	}
	return expect("exit code", 127, r.end.GetExitCode())
}

func (g guest) background(ctx context.Context) error {
	tag, gate := "job-"+g.name, "/tmp/gate-"+g.name
	no := false
	pid, err := g.startAndDrop(ctx, &ps.StartRequest{
		Process: &ps.ProcessConfig{
			Cmd:  "/bin/sh",
			Args: []string{"-c", "until [ -e " + gate + " ]; do sleep 0.02; done; echo late; exit 5"},
		},
		Tag: &tag, Stdin: &no,
	})
	if err != nil {
		return err
	}
	if err := g.expectListed(ctx, tag, pid); err != nil {
		return err
	}
	e, err := g.connect(ctx, tag)
	if err != nil {
		return err
	}
	again, err := e.started()
	if err != nil {
		return err
	}
	if err := expect("pid after reconnect", pid, again); err != nil {
		return err
	}
	if err := g.rest.upload(ctx, gate, nil); err != nil {
		return err
	}
	r := &result{}
	if err := e.finish(r); err != nil {
		return err
	}
	return errors.Join(expect("stdout", "late\n", r.stdout), r.expect(5, true, "exit status: 5"))
}

// startAndDrop reads until the start event and lets the stream go; the process must go on.
func (g guest) startAndDrop(ctx context.Context, request *ps.StartRequest) (uint32, error) {
	ctx, drop := context.WithCancel(ctx)
	defer drop()
	e, err := g.start(ctx, request)
	if err != nil {
		return 0, err
	}
	return e.started()
}

func (g guest) expectListed(ctx context.Context, tag string, pid uint32) error {
	list, err := g.process.List(ctx, connect.NewRequest(&ps.ListRequest{}))
	if err != nil {
		return err
	}
	for _, process := range list.Msg.GetProcesses() {
		if process.GetTag() == tag {
			return errors.Join(
				expect("listed pid", pid, process.GetPid()),
				expect("listed cmd", "/bin/sh", process.GetConfig().GetCmd()),
			)
		}
	}
	return fmt.Errorf("expected a process with tag %s in the list, found %v", tag, list.Msg.GetProcesses())
}

func (g guest) terminal(ctx context.Context) error {
	tag := "pty-" + g.name
	e, err := g.start(ctx, &ps.StartRequest{
		Process: &ps.ProcessConfig{Cmd: "/bin/sh"},
		Pty:     &ps.PTY{Size: &ps.PTY_Size{Cols: 80, Rows: 24}},
		Tag:     &tag,
	})
	if err != nil {
		return err
	}
	if _, err := e.started(); err != nil {
		return err
	}
	r := &result{}
	if err := g.typeAndSee(ctx, e, r, tag, "stty size; tty >/dev/null && echo is-a-tty\n", "24 80\r\nis-a-tty\r\n"); err != nil {
		return err
	}
	size := &ps.PTY{Size: &ps.PTY_Size{Cols: 132, Rows: 43}}
	if _, err := g.process.Update(ctx, connect.NewRequest(&ps.UpdateRequest{Process: byTag(tag), Pty: size})); err != nil {
		return err
	}
	if err := g.typeAndSee(ctx, e, r, tag, "stty size\n", "43 132\r\n"); err != nil {
		return err
	}
	kill := &ps.SendSignalRequest{Process: byTag(tag), Signal: ps.Signal_SIGNAL_SIGKILL}
	if _, err := g.process.SendSignal(ctx, connect.NewRequest(kill)); err != nil {
		return err
	}
	if err := e.finish(r); err != nil {
		return err
	}
	return errors.Join(
		r.expect(-1, false, "signal: 9 (SIGKILL)"),
		expect("stdout and stderr of a terminal", "", r.stdout+r.stderr),
	)
}

func (g guest) typeAndSee(ctx context.Context, e events, r *result, tag, input, output string) error {
	request := &ps.SendInputRequest{
		Process: byTag(tag),
		Input:   &ps.ProcessInput{Input: &ps.ProcessInput_Pty{Pty: []byte(input)}},
	}
	if _, err := g.process.SendInput(ctx, connect.NewRequest(request)); err != nil {
		return err
	}
	err := e.until(r, func(r *result) bool { return strings.Contains(r.pty, output) })
	if err == nil && r.end != nil {
		err = fmt.Errorf("expected %q on the terminal, found its end after %q", output, r.pty)
	}
	return err
}

func (g guest) standardInput(ctx context.Context) error {
	e, err := g.start(ctx, &ps.StartRequest{Process: &ps.ProcessConfig{Cmd: "cat"}})
	if err != nil {
		return err
	}
	pid, err := e.started()
	if err != nil {
		return err
	}
	input := g.process.StreamInput(ctx)
	for _, request := range []*ps.StreamInputRequest{
		{Event: &ps.StreamInputRequest_Start{Start: &ps.StreamInputRequest_StartEvent{Process: byPID(pid)}}},
		stdinData("one\n"), stdinData("two\n"),
	} {
		if err := input.Send(request); err != nil {
			return err
		}
	}
	if _, err := input.CloseAndReceive(); err != nil {
		return err
	}
	if _, err := g.process.CloseStdin(ctx, connect.NewRequest(&ps.CloseStdinRequest{Process: byPID(pid)})); err != nil {
		return err
	}
	r := &result{}
	if err := e.finish(r); err != nil {
		return err
	}
	return errors.Join(expect("stdout", "one\ntwo\n", r.stdout), r.expect(0, true, "exit status: 0"))
}

func stdinData(text string) *ps.StreamInputRequest {
	input := &ps.ProcessInput{Input: &ps.ProcessInput_Stdin{Stdin: []byte(text)}}
	return &ps.StreamInputRequest{Event: &ps.StreamInputRequest_Data{Data: &ps.StreamInputRequest_DataEvent{Input: input}}}
}

func (g guest) refusals(ctx context.Context) error {
	e, err := g.start(ctx, &ps.StartRequest{})
	if err == nil {
		e.Receive()
		err = e.Err()
	}
	if err := expectCode(err, connect.CodeInvalidArgument, "process config required"); err != nil {
		return err
	}
	_, err = g.process.SendSignal(ctx, connect.NewRequest(&ps.SendSignalRequest{
		Process: byTag("nobody"), Signal: ps.Signal_SIGNAL_SIGTERM,
	}))
	return expectCode(err, connect.CodeNotFound, "process with tag nobody not found")
}
