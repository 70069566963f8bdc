package main

import (
	"bufio"
	"errors"
	"fmt"
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
}

var ready = regexp.MustCompile(`^envd-mock ready url=(http://127\.0\.0\.1:\d+) control=http://127\.0\.0\.1:\d+ generation=2 root=\S+\n$`)

// boot starts the mock on a free port and waits for its one line.
func boot() (*mock, error) {
	program := os.Getenv("ENVD_MOCK")
	if program == "" {
		program = "../../target/debug/envd-mock"
	}
	command := exec.Command(program, "--listen", "127.0.0.1:0")
	command.Stderr = os.Stderr
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
		return nil, fmt.Errorf("expected the ready line, found %q (%v)", line, err)
	}
	return &mock{command: command, url: match[1]}, nil
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
