package ambit

import (
	"context"
	"errors"
	"io"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
)

// A Prepared is a pack that lies ready, with what it asks for. Its texts come from
// whoever made the pack: show them as text.
type Prepared struct {
	*pb.Prepared

	client *Client
}

// Prepare has a pack unpacked and checked: a path on the host, or oci:// and a
// registry's reference. Nothing is installed, and nothing granted.
func (c *Client) Prepare(ctx context.Context, source string) (Prepared, error) {
	return c.prepare(ctx, &pb.PreparePackRequest{From: &pb.PreparePackRequest_Source{Source: source}})
}

// part is how much of an archive is sent at once.
const part = 1 << 20

// PrepareArchive sends an archive to the host, and has it unpacked and checked.
func (c *Client) PrepareArchive(ctx context.Context, archive io.Reader) (Prepared, error) {
	r := &pb.UploadPackRequest{}
	buffer := make([]byte, part)
	for {
		n, err := io.ReadFull(archive, buffer)
		if n > 0 {
			r.Data = buffer[:n]
			m, err := c.Packs.UploadPack(ctx, connect.NewRequest(r))
			if err != nil {
				return Prepared{}, err
			}
			r.Upload, r.Offset = m.Msg.GetUpload(), m.Msg.GetSize()
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return Prepared{}, err
		}
	}
	return c.prepare(ctx, &pb.PreparePackRequest{From: &pb.PreparePackRequest_Upload{Upload: r.GetUpload()}})
}

func (c *Client) prepare(ctx context.Context, r *pb.PreparePackRequest) (Prepared, error) {
	m, err := c.Packs.PreparePack(ctx, connect.NewRequest(r))
	if err != nil {
		return Prepared{}, err
	}
	return Prepared{m.Msg.GetPrepared(), c}, nil
}

// Consent is what of a pack is allowed. The zero value allows nothing, and leaves all
// that it asks for to be asked about when it is first touched.
type Consent struct {
	Allow, Deny []string // capabilities as they were asked for
	TypedID     string   // the pack's id, as a person typed it, where something broad is allowed
}

// Install installs what was prepared, exactly that, once.
func (p Prepared) Install(ctx context.Context, given Consent) (*pb.Installed, error) {
	r := &pb.InstallPackRequest{Id: p.GetId(), Digest: p.GetPack().GetDigest(), TypedId: given.TypedID}
	for _, c := range given.Allow {
		r.Choices = append(r.Choices, &pb.Choice{Capability: c, Choosing: pb.Choosing_CHOOSING_ALLOW})
	}
	for _, c := range given.Deny {
		r.Choices = append(r.Choices, &pb.Choice{Capability: c, Choosing: pb.Choosing_CHOOSING_DENY})
	}
	m, err := p.client.Packs.InstallPack(ctx, connect.NewRequest(r))
	if err != nil {
		return nil, err
	}
	return m.Msg.GetInstalled(), nil
}

// Remove removes a pack, and takes back what was granted to it.
func (c *Client) Remove(ctx context.Context, id string) error {
	_, err := c.Packs.RemovePack(ctx, connect.NewRequest(&pb.RemovePackRequest{Id: id}))
	return err
}
