package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"connectrpc.com/connect"

	"interop.envd.test/gen/filesystem/filesystemconnect"
	"interop.envd.test/gen/process/processconnect"
)

// The address that requests name; the dialer goes to the real one.
const baseURL = "http://127.0.0.1:49983"

// clients is what a case may call.
type clients struct {
	process    processconnect.ProcessClient
	filesystem filesystemconnect.FilesystemClient
}

// exchange runs one case and returns the raw bytes of both directions.
func exchange(c wireCase) (request, response []byte, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	server := &http.Server{Handler: handler(c), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()

	tape := &tape{}
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, listener.Addr().String())
		return &tapedConn{Conn: conn, tape: tape}, err
	}}
	defer transport.CloseIdleConnections()

	options := c.clientOptions()
	// The deadline is the transport's: one of the context would be told to the server, in milliseconds left.
	http := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	err = c.call(context.Background(), clients{
		process:    processconnect.NewProcessClient(http, baseURL, options...),
		filesystem: filesystemconnect.NewFilesystemClient(http, baseURL, options...),
	})
	// An error that the case is about carries a code of the server; anything else is a failure to record.
	var wire *connect.Error
	if err != nil && !(c.fails && errors.As(err, &wire) && connect.IsWireError(err)) {
		return nil, nil, err
	}
	if err == nil && c.fails {
		return nil, nil, errors.New("expected the call to fail, it did not")
	}
	tape.mutex.Lock()
	defer tape.mutex.Unlock()
	return tape.sent.Bytes(), tape.received.Bytes(), nil
}

func handler(c wireCase) http.Handler {
	mux := http.NewServeMux()
	options := []connect.HandlerOption{connect.WithCompressMinBytes(c.compressMin())}
	mux.Handle(processconnect.NewProcessHandler(c.processServer(), options...))
	mux.Handle(filesystemconnect.NewFilesystemHandler(c.filesystemServer(), options...))
	return mux
}

// tape holds what a connection carried.
type tape struct {
	mutex          sync.Mutex
	sent, received bytes.Buffer
}

type tapedConn struct {
	net.Conn
	tape *tape
}

func (c *tapedConn) Write(data []byte) (int, error) {
	n, err := c.Conn.Write(data)
	c.tape.mutex.Lock()
	defer c.tape.mutex.Unlock()
	c.tape.sent.Write(data[:n])
	return n, err
}

func (c *tapedConn) Read(data []byte) (int, error) {
	n, err := c.Conn.Read(data)
	c.tape.mutex.Lock()
	defer c.tape.mutex.Unlock()
	c.tape.received.Write(data[:n])
	return n, err
}
