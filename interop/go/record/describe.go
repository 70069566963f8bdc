package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"
)

// recording is the file: see fixtures/wire/README.md.
type recording struct {
	About     string  `json:"about"`
	Source    string  `json:"source"`
	Operation string  `json:"operation"`
	Request   message `json:"request"`
	Response  message `json:"response"`
}

type message struct {
	Head     []string          `json:"head"`
	Body     []string          `json:"body"`
	Type     string            `json:"type"`
	Messages []json.RawMessage `json:"messages"`
	End      json.RawMessage   `json:"end,omitempty"`
	Error    json.RawMessage   `json:"error,omitempty"`
}

func describe(c wireCase, request, response []byte) ([]byte, error) {
	method, err := findMethod(c.operation)
	if err != nil {
		return nil, err
	}
	req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(request)))
	if err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(response)), req)
	if err != nil {
		return nil, err
	}
	requestPart, err := part(request, req.Header, req.Body, method.Input(), false)
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	responsePart, err := part(response, resp.Header, resp.Body, method.Output(), resp.StatusCode != http.StatusOK)
	if err != nil {
		return nil, fmt.Errorf("response: %w", err)
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err = encoder.Encode(recording{c.about, "connect-go " + version(), c.operation, requestPart, responsePart})
	return out.Bytes(), err
}

func findMethod(operation string) (protoreflect.MethodDescriptor, error) {
	service, method, _ := strings.Cut(operation, "/")
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service + "." + method))
	if err != nil {
		return nil, err
	}
	return found.(protoreflect.MethodDescriptor), nil
}

func part(raw []byte, header http.Header, body io.Reader, kind protoreflect.MessageDescriptor, isError bool) (message, error) {
	out := message{Head: head(raw), Type: string(kind.FullName()), Messages: []json.RawMessage{}}
	data, err := io.ReadAll(body)
	if err != nil {
		return out, err
	}
	contentType := header.Get("Content-Type")
	if strings.HasPrefix(contentType, "application/connect+") {
		return out, out.streamed(data, kind, contentType)
	}
	out.Body = pieces(data)
	if header.Get("Content-Encoding") == "gzip" {
		if data, err = gunzip(data); err != nil {
			return out, err
		}
	}
	if isError {
		out.Error, err = compact(data)
		return out, err
	}
	return out, out.add(data, kind, contentType)
}

// head is the lines before the body, without those that differ from run to run.
func head(raw []byte) []string {
	text, _, _ := strings.Cut(string(raw), "\r\n\r\n")
	lines := []string{}
	for _, line := range strings.Split(text, "\r\n") {
		name, _, _ := strings.Cut(strings.ToLower(line), ":")
		if name != "date" && name != "content-length" && name != "transfer-encoding" {
			lines = append(lines, line)
		}
	}
	return lines
}

func (m *message) streamed(data []byte, kind protoreflect.MessageDescriptor, contentType string) error {
	m.Body = []string{}
	for len(data) > 0 {
		prefix, size := data[:5], binary.BigEndian.Uint32(data[1:5])
		payload := data[5 : 5+size]
		data = data[5+size:]
		m.Body = append(m.Body, "hex:"+hex.EncodeToString(prefix))
		m.Body = append(m.Body, pieces(payload)...)
		if err := m.envelope(prefix[0], payload, kind, contentType); err != nil {
			return err
		}
	}
	return nil
}

func (m *message) envelope(flags byte, payload []byte, kind protoreflect.MessageDescriptor, contentType string) (err error) {
	if flags&1 != 0 {
		if payload, err = gunzip(payload); err != nil {
			return err
		}
	}
	if flags&2 != 0 {
		m.End, err = compact(payload)
		return err
	}
	return m.add(payload, kind, contentType)
}

// add appends the canonical JSON form of an encoded message.
func (m *message) add(data []byte, kind protoreflect.MessageDescriptor, contentType string) error {
	decoded := dynamicpb.NewMessage(kind)
	unmarshal := proto.Unmarshal
	if strings.HasSuffix(contentType, "json") {
		unmarshal = protojson.Unmarshal
	}
	if err := unmarshal(data, decoded); err != nil {
		return err
	}
	text, err := protojson.Marshal(decoded)
	if err != nil {
		return err
	}
	canonical, err := compact(text)
	m.Messages = append(m.Messages, canonical)
	return err
}

// pieces shows text as text and everything else as lines of hex.
func pieces(data []byte) []string {
	out := []string{}
	if len(data) > 0 && printable(data) {
		return append(out, "text:"+string(data))
	}
	for len(data) > 0 {
		n := min(len(data), 48)
		out = append(out, "hex:"+hex.EncodeToString(data[:n]))
		data = data[n:]
	}
	return out
}

func printable(data []byte) bool {
	for _, b := range data {
		if b < 0x20 || b > 0x7e {
			return false
		}
	}
	return true
}

func gunzip(data []byte) ([]byte, error) {
	reader, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(reader)
}

func compact(text []byte) (json.RawMessage, error) {
	var out bytes.Buffer
	err := json.Compact(&out, text)
	return out.Bytes(), err
}
