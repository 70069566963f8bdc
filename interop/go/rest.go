package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/url"
	"time"
)

const bigSize = 64 << 20

// rest is the part of the guest that is plain HTTP.
type rest struct {
	base string
	http *http.Client
}

func newREST(base string) rest {
	return rest{base, &http.Client{Timeout: 2 * time.Minute}}
}

func (r rest) waitUntilReady(ctx context.Context) error {
	for range 50 {
		body, err := r.call(ctx, http.MethodGet, "/health", "", nil, http.StatusOK)
		if err == nil {
			var health struct{ Version string }
			if err := json.Unmarshal(body, &health); err != nil || health.Version == "" {
				return fmt.Errorf("expected a version, found %q (%v)", body, err)
			}
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("the guest was not healthy within 5 s")
}

func (r rest) init(ctx context.Context) error {
	body, err := json.Marshal(map[string]any{
		"timestamp":    time.Now().UTC().Format(time.RFC3339Nano),
		"lifecycle_id": "5d3f7d2e-9a0c-4d8e-8f6a-0c1b2a3d4e5f",
		"defaultUser":  "user",
		"envVars":      map[string]string{"GREETING": "hello from init"},
		"sandbox_id":   "sandbox-go",
	})
	if err != nil {
		return err
	}
	_, err = r.call(ctx, http.MethodPost, "/init", "application/json", bytes.NewReader(body), http.StatusNoContent)
	return err
}

func (r rest) bigFile(ctx context.Context, g guest) error {
	content := make([]byte, bigSize)
	seed := [32]byte{42}
	_, _ = rand.NewChaCha8(seed).Read(content)
	sum := sha256.Sum256(content)
	if err := r.upload(ctx, "/home/user/big.bin", content); err != nil {
		return err
	}
	result, err := g.exec(ctx, "sha256sum", "/home/user/big.bin")
	if err != nil {
		return err
	}
	if err := expect("checksum in the guest", hex.EncodeToString(sum[:])+"  /home/user/big.bin\n", result.stdout); err != nil {
		return err
	}
	back, err := r.download(ctx, "/home/user/big.bin")
	if err != nil {
		return err
	}
	return expect("same bytes back", true, bytes.Equal(content, back))
}

func (r rest) upload(ctx context.Context, path string, content []byte) error {
	var body bytes.Buffer
	writer := multipart.NewWriter(&body)
	part, err := writer.CreateFormFile("file", "upload")
	if err != nil {
		return err
	}
	_, _ = part.Write(content)
	_ = writer.Close()
	_, err = r.call(ctx, http.MethodPost, filesURL(path), writer.FormDataContentType(), &body, http.StatusOK)
	return err
}

func (r rest) download(ctx context.Context, path string) ([]byte, error) {
	return r.call(ctx, http.MethodGet, filesURL(path), "", nil, http.StatusOK)
}

func filesURL(path string) string {
	return "/files?" + url.Values{"path": {path}, "username": {"root"}}.Encode()
}

func (r rest) prepare(ctx context.Context) error {
	_, err := r.call(ctx, http.MethodPost, "/snapshot/prepare", "", nil, http.StatusNoContent)
	return err
}

type preloadStatus struct {
	State string
	Bytes uint64
	Error string
}

func (r rest) preload(ctx context.Context) error {
	status, err := r.preloadCall(ctx, http.MethodPost)
	for err == nil && status.State == "running" {
		time.Sleep(50 * time.Millisecond)
		status, err = r.preloadCall(ctx, http.MethodGet)
	}
	if err != nil {
		return err
	}
	if err := expect("state", "done", status.State); err != nil {
		return err
	}
	return expect("some bytes", true, status.Bytes > 0)
}

func (r rest) preloadCall(ctx context.Context, method string) (status preloadStatus, err error) {
	body, err := r.call(ctx, method, "/memory/preload", "", nil, http.StatusOK)
	if err != nil {
		return status, err
	}
	return status, json.Unmarshal(body, &status)
}

// call expects a status and returns the body.
func (r rest) call(ctx context.Context, method, path, contentType string, body io.Reader, status int) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, r.base+path, body)
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := r.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != status {
		return nil, fmt.Errorf("%s %s: expected status %d, found %d: %s", method, path, status, response.StatusCode, data)
	}
	return data, nil
}
