// Command go drives the mock as the real host does, with connect-go, and fails on the first thing that is not
// what a guest should do. The mock's program is named by ENVD_MOCK.
package main

import (
	"context"
	"fmt"
	"log"
	"strings"
	"time"
)

func main() {
	log.SetFlags(0)
	ctx, cancel := context.WithTimeout(context.Background(), 150*time.Second)
	defer cancel()
	if err := run(ctx); err != nil {
		log.Fatalf("go: failed: %v", err)
	}
}

func run(ctx context.Context) error {
	mock, err := boot()
	if err != nil {
		return err
	}
	defer mock.kill()
	rest := newREST(mock.url)
	if err := steps(ctx, "guest", []step{
		{"health", rest.waitUntilReady},
		{"init", rest.init},
		{"64 MiB up and down", func(ctx context.Context) error { return rest.bigFile(ctx, dial(mock.url, protocols[0])) }},
	}); err != nil {
		return err
	}
	for _, protocol := range protocols {
		guest := dial(mock.url, protocol)
		if err := steps(ctx, protocol.name, []step{
			{"run a command", guest.runCommand},
			{"a missing program", guest.missingProgram},
			{"background and reconnect", guest.background},
			{"terminal", guest.terminal},
			{"standard input", guest.standardInput},
			{"files", guest.files},
			{"errors", guest.refusals},
		}); err != nil {
			return err
		}
	}
	if err := steps(ctx, "guest", []step{
		{"prepare a snapshot", rest.prepare},
		{"preload", rest.preload},
		{"SIGTERM", func(context.Context) error { return mock.terminate() }},
	}); err != nil {
		return err
	}
	return steps(ctx, "faults", []step{
		{"by flag, by header, verified", faults},
		{"a strict run that fails", strict},
	})
}

type step struct {
	name string
	do   func(context.Context) error
}

func steps(ctx context.Context, about string, all []step) error {
	before, names := time.Now(), []string{}
	for _, s := range all {
		if err := s.do(ctx); err != nil {
			return fmt.Errorf("%s: %s: %w", about, s.name, err)
		}
		names = append(names, s.name)
	}
	log.Printf("go: %s: %s (%d ms)", about, strings.Join(names, ", "), time.Since(before).Milliseconds())
	return nil
}

// expect is an error unless both are the same.
func expect[T comparable](what string, expected, found T) error {
	if expected != found {
		return fmt.Errorf("%s: expected %v, found %v", what, quoted(expected), quoted(found))
	}
	return nil
}

func quoted(value any) any {
	if text, ok := value.(string); ok {
		return fmt.Sprintf("%q", text)
	}
	return value
}
