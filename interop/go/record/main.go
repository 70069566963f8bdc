// Command record runs a connect-go client against a connect-go server on loopback and writes what went over the
// wire into the directory named, one JSON file a case. Only what differs from run to run is left out: Date, and
// the transfer framing (Content-Length, Transfer-Encoding), which belongs to HTTP and not to Connect.
package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("record: expected one argument, the directory to write to")
	}
	for _, c := range cases() {
		if err := recordTo(os.Args[1], c); err != nil {
			log.Fatalf("record: %s: %v", c.name, err)
		}
	}
}

func recordTo(dir string, c wireCase) error {
	request, response, err := exchange(c)
	if err != nil {
		return err
	}
	text, err := describe(c, request, response)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "go-"+c.name+".json")
	fmt.Println(path)
	return os.WriteFile(path, text, 0o644)
}
