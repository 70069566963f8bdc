package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"time"
)

// mock is a running envd-mock.
type mock struct {
	command *exec.Cmd
	url     string
	control string
	// said is what it wrote to standard error.
	said *bytes.Buffer
}

var ready = regexp.MustCompile(`^envd-mock ready url=(http://127\.0\.0\.1:\d+) control=(http://127\.0\.0\.1:\d+) generation=2 root=\S+\n$`)

// boot starts the mock on a free port, with more flags, and waits for its one line.
func boot(flags ...string) (*mock, error) {
	program := os.Getenv("ENVD_MOCK")
	if program == "" {
		program = "../../target/debug/envd-mock"
	}
	command := exec.Command(program, append([]string{"--listen", "127.0.0.1:0"}, flags...)...)
	said := new(bytes.Buffer)
	command.Stderr = io.MultiWriter(os.Stderr, said)
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	match := ready.FindStringSubmatch(line)
	if match == nil {
		_ = command.Process.Kill()
		_ = command.Wait()
		return nil, fmt.Errorf("expected the ready line, found %q (%v): %s", line, err, said)
	}
	return &mock{command: command, url: match[1], control: match[2], said: said}, nil
}

// terminate expects exit code 0 soon after SIGTERM.
func (m *mock) terminate() error {
	if err := m.command.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- m.command.Wait() }()
	select {
	case err := <-done:
		return err
	case <-time.After(1500 * time.Millisecond):
		return errors.New("expected the mock to end within a second of SIGTERM, it did not")
	}
}

func (m *mock) kill() {
	_ = m.command.Process.Kill()
}
