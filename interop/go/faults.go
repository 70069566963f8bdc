package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"connectrpc.com/connect"

	ps "interop.envd.test/gen/process"
	"interop.envd.test/gen/process/processconnect"
)

// faultTransport requests a fault for each call by a header.
type faultTransport struct {
	fault string
	next  http.RoundTripper
}

func (t faultTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	request = request.Clone(request.Context())
	request.Header.Set("X-Envd-Fault", t.fault)
	return t.next.RoundTrip(request)
}

// faults shows the three ways in which a Go test uses them.
func faults(ctx context.Context) error {
	mock, err := boot("--faults-from-header", "--fault", "GET /health #2: reset")
	if err != nil {
		return err
	}
	defer mock.kill()

	// A flag: the second call is reset, the ones around it are answered.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	for n := 1; n <= 3; n++ {
		response, err := client.Get(mock.url + "/health")
		if n == 2 {
			if !errors.Is(err, syscall.ECONNRESET) {
				return fmt.Errorf("call 2: expected a reset, found %v", err)
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("call %d: %w", n, err)
		}
		response.Body.Close()
	}

	// A header: this call's stream ends with an error in place of its second envelope.
	process := processconnect.NewProcessClient(
		&http.Client{Transport: faultTransport{"down[2]: end-error unavailable", http.DefaultTransport}}, mock.url)
	stream, err := process.Start(ctx, connect.NewRequest(&ps.StartRequest{
		Process: &ps.ProcessConfig{Cmd: "echo", Args: []string{"hello"}},
	}))
	if err != nil {
		return err
	}
	defer stream.Close()
	events := 0
	for stream.Receive() {
		events++
	}
	if err := expect("events before the error", 1, events); err != nil {
		return err
	}
	if err := expect("code", connect.CodeUnavailable, connect.CodeOf(stream.Err())); err != nil {
		return err
	}
	return verify(ctx, mock.control, `{"expect": [
		{"operation": "GET /health", "times": 3},
		{"operation": "process.Process/Start", "command": "echo hello", "times": 1}
	]}`)
}

// verify asks the control port whether what was expected happened.
func verify(ctx context.Context, control, expectations string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, control+"/verify", bytes.NewBufferString(expectations))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var verdict struct {
		OK       bool              `json:"ok"`
		Failures []json.RawMessage `json:"failures"`
	}
	if err := json.NewDecoder(response.Body).Decode(&verdict); err != nil {
		return err
	}
	if !verdict.OK {
		return fmt.Errorf("expected what was verified, found %s", verdict.Failures)
	}
	return nil
}

// strict ends a mock whose only rule never fired, and expects to be told.
func strict(context.Context) error {
	mock, err := boot("--strict", "--fault", "GET /files #1: cut name=never")
	if err == nil {
		return errors.New("expected a name behind the colon to be refused, it was not")
	}
	mock, err = boot("--strict", "--fault", "GET /files #1 @0 name=never: cut")
	if err != nil {
		return err
	}
	defer mock.kill()
	var exit *exec.ExitError
	if err := mock.terminate(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		return fmt.Errorf("expected exit code 1 of a run whose rule never fired, found %v", err)
	}
	if !strings.Contains(mock.said.String(), "never") {
		return fmt.Errorf("expected the rule to be named, found %q", mock.said.String())
	}
	return nil
}
