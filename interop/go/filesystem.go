package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"

	fs "interop.envd.test/gen/filesystem"
)

func (g guest) files(ctx context.Context) error {
	dir := "/home/user/dir-" + g.name
	made, err := g.filesystem.MakeDir(ctx, connect.NewRequest(&fs.MakeDirRequest{Path: dir}))
	if err != nil {
		return err
	}
	if err := errors.Join(
		expect("type", fs.FileType_FILE_TYPE_DIRECTORY, made.Msg.GetEntry().GetType()),
		expect("owner", "user", made.Msg.GetEntry().GetOwner()),
	); err != nil {
		return err
	}
	if err := g.rest.upload(ctx, dir+"/a.txt", []byte("from the host\n")); err != nil {
		return err
	}
	return errors.Join(g.seenByAll(ctx, dir), g.movedAndRemoved(ctx, dir))
}

// seenByAll expects the uploaded file to be the same for RPCs, downloads and commands.
func (g guest) seenByAll(ctx context.Context, dir string) error {
	stat, err := g.filesystem.Stat(ctx, connect.NewRequest(&fs.StatRequest{Path: dir + "/a.txt"}))
	if err != nil {
		return err
	}
	age := time.Since(stat.Msg.GetEntry().GetModifiedTime().AsTime())
	if age < -time.Minute || age > time.Minute {
		return fmt.Errorf("expected a fresh modification time, found one %v old", age)
	}
	list, err := g.filesystem.ListDir(ctx, connect.NewRequest(&fs.ListDirRequest{Path: dir, Depth: 1}))
	if err != nil {
		return err
	}
	if len(list.Msg.GetEntries()) != 1 {
		return fmt.Errorf("expected one entry, found %v", list.Msg.GetEntries())
	}
	cat, err := g.exec(ctx, "cat", dir+"/a.txt")
	if err != nil {
		return err
	}
	back, err := g.rest.download(ctx, dir+"/a.txt")
	return errors.Join(
		err,
		expect("size", 14, stat.Msg.GetEntry().GetSize()),
		expect("listed path", dir+"/a.txt", list.Msg.GetEntries()[0].GetPath()),
		expect("cat", "from the host\n", cat.stdout),
		expect("download", "from the host\n", string(back)),
	)
}

func (g guest) movedAndRemoved(ctx context.Context, dir string) error {
	move := &fs.MoveRequest{Source: dir + "/a.txt", Destination: dir + "/b.txt"}
	moved, err := g.filesystem.Move(ctx, connect.NewRequest(move))
	if err != nil {
		return err
	}
	if err := expect("name", "b.txt", moved.Msg.GetEntry().GetName()); err != nil {
		return err
	}
	if _, err := g.filesystem.Remove(ctx, connect.NewRequest(&fs.RemoveRequest{Path: dir})); err != nil {
		return err
	}
	_, err = g.filesystem.Stat(ctx, connect.NewRequest(&fs.StatRequest{Path: dir}))
	return expectCode(err, connect.CodeNotFound, "file not found")
}
