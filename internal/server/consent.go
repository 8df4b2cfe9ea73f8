package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
	"ambit.dev/ambit/internal/core/capability"
)

// preparePatience is how long it may take to get a pack and to unpack it.
const preparePatience = 2 * time.Minute

// whose names a caller for the command line: nobody else goes on with what it began.
func whose(c Caller) string {
	sum := sha256.Sum256([]byte(c.Principal + "\x00" + c.By))
	return hex.EncodeToString(sum[:])
}

// A readyPack is what `ambit pack prepare --json` prints.
type readyPack struct {
	ID          string    `json:"id"`
	Until       time.Time `json:"until"`
	Quiet       bool      `json:"quiet"`
	Unchanged   bool      `json:"unchanged"`
	Pack        packRow   `json:"pack"`
	Before      *packRow  `json:"before"`
	Name        string    `json:"name"`
	Kind        string    `json:"kind"`
	Description string    `json:"description"`
	Entry       []string  `json:"entry"`
	Signer      string    `json:"signer_state"`
	Wants       []struct {
		Capability capability.Capability `json:"capability"`
		Meaning    string                `json:"meaning"`
		Reason     string                `json:"reason"`
		Optional   bool                  `json:"optional"`
		Risk       string                `json:"risk"`
		Broad      bool                  `json:"broad"`
		State      string                `json:"state"`
	} `json:"wants"`
	Dropped []capability.Capability `json:"dropped"`
	Same    bool                    `json:"same_version"`
	Older   *struct {
		ID      string `json:"id"`
		Version string `json:"version"`
		Taken   string `json:"taken"`
	} `json:"older"`
}

func (r readyPack) message() *pb.Prepared {
	m := &pb.Prepared{Id: r.ID, Expires: moment(r.Until), Pack: r.Pack.message(), Name: text(r.Name), Kind: r.Kind, Description: text(r.Description), Entry: texts(r.Entry), SameVersion: r.Same,
		SignerState: map[string]pb.SignerState{"unsigned": pb.SignerState_SIGNER_STATE_UNSIGNED, "first": pb.SignerState_SIGNER_STATE_FIRST,
			"same": pb.SignerState_SIGNER_STATE_SAME, "takes-over": pb.SignerState_SIGNER_STATE_TAKES_OVER,
			"handed-on": pb.SignerState_SIGNER_STATE_HANDED_ON}[r.Signer]}
	if r.Before != nil {
		m.Before = r.Before.message()
	}
	states := map[string]pb.WantState{"asked": pb.WantState_WANT_STATE_ASKED, "allowed": pb.WantState_WANT_STATE_ALLOWED, "denied": pb.WantState_WANT_STATE_DENIED}
	for _, w := range r.Wants {
		m.Wants = append(m.Wants, &pb.PreparedWant{Capability: text(w.Capability.String()), Meaning: text(w.Meaning), Reason: text(w.Reason),
			Optional: w.Optional, Risk: w.Risk, Broad: w.Broad, State: states[w.State]})
	}
	for _, c := range r.Dropped {
		m.Dropped = append(m.Dropped, &pb.Dropped{Capability: text(c.Display()), Meaning: text(c.Describe())})
	}
	return m
}

func (s packs) PreparePack(ctx context.Context, r *connect.Request[pb.PreparePackRequest]) (*connect.Response[pb.PreparePackResponse], error) {
	caller := callerOf(ctx)
	args := []string{}
	source := r.Msg.GetSource()
	if id := r.Msg.GetUpload(); id != "" {
		file, err := s.archives.whole(id, whose(caller))
		if err != nil {
			return nil, failure(err)
		}
		defer file.discard()
		source, args = file.path, append(args, "--uploaded")
	} else if _, registry := strings.CutPrefix(source, "oci://"); !registry && !filepath.IsAbs(source) {
		return nil, invalid("source: expected an absolute path on the host, or oci:// and a registry's reference")
	}
	p, err := s.prepare(ctx, caller, r.Msg, append(args, "--", source)...)
	if err != nil {
		return nil, failure(err)
	}
	return connect.NewResponse(&pb.PreparePackResponse{Prepared: p.message()}), nil
}

// taking is what a request says about which packs are taken.
type taking interface {
	GetSigner() string
	GetAllowOlder() bool
}

// prepare has a pack prepared for a caller.
func (s packs) prepare(ctx context.Context, caller Caller, t taking, args ...string) (p readyPack, err error) {
	select {
	case s.preparing <- struct{}{}:
		defer func() { <-s.preparing }()
	case <-ctx.Done():
		return p, ctx.Err()
	}
	flags := []string{"pack", "prepare", "--for=" + whose(caller)}
	if t.GetSigner() != "" {
		flags = append(flags, "--signer="+t.GetSigner())
	}
	if t.GetAllowOlder() {
		flags = append(flags, "--allow-older")
	}
	err = s.commandWithin(ctx, preparePatience, &p, append(flags, args...)...)
	if p.Older == nil || err == nil {
		return p, err
	}
	refused := connect.NewError(connect.CodeFailedPrecondition, errors.New(text(err.Error())))
	detail, err := connect.NewErrorDetail(&pb.OlderVersion{Id: text(p.Older.ID), Version: text(p.Older.Version), Taken: text(p.Older.Taken)})
	if err != nil {
		return p, err
	}
	refused.AddDetail(detail)
	return p, refused
}

// An installed is what `ambit pack install --json` prints.
type installed struct {
	ID      string                  `json:"id"`
	Version string                  `json:"version"`
	Digest  string                  `json:"digest"`
	Signer  string                  `json:"signer"`
	Folder  string                  `json:"folder"`
	Granted []capability.Capability `json:"granted"`
	Denied  []capability.Capability `json:"denied"`
	Left    []capability.Capability `json:"not_granted"`
	Revoked []capability.Capability `json:"revoked"`
}

func (i installed) message() *pb.Installed {
	return &pb.Installed{Pack: &pb.Pack{Id: text(i.ID), Folder: text(i.Folder), Version: text(i.Version), Digest: i.Digest, Signer: i.Signer, Installed: true},
		Granted: displayed(i.Granted), Denied: displayed(i.Denied), Left: displayed(i.Left), Revoked: displayed(i.Revoked)}
}

func displayed(all []capability.Capability) (some []string) {
	for _, c := range all {
		some = append(some, text(c.Display()))
	}
	return some
}

// InstallPack hands on what was chosen, of what, and for whom. Whether that is what
// was shown, the command line finds out.
func (s packs) InstallPack(ctx context.Context, r *connect.Request[pb.InstallPackRequest]) (*connect.Response[pb.InstallPackResponse], error) {
	if r.Msg.GetId() == "" || r.Msg.GetDigest() == "" {
		return nil, invalid("id, digest: expected those that PreparePack has answered")
	}
	done, err := s.install(ctx, callerOf(ctx), r.Msg)
	if err != nil {
		return nil, failure(err)
	}
	return connect.NewResponse(&pb.InstallPackResponse{Installed: done.message()}), nil
}

func (s packs) install(ctx context.Context, caller Caller, m *pb.InstallPackRequest) (done installed, err error) {
	args := []string{"pack", "install", "--prepared=" + m.GetId(), "--digest=" + m.GetDigest(), "--for=" + whose(caller)}
	if m.GetTypedId() != "" {
		args = append(args, "--typed="+m.GetTypedId())
	}
	for _, c := range m.GetChoices() {
		switch c.GetChoosing() {
		case pb.Choosing_CHOOSING_ALLOW:
			args = append(args, "--allow="+c.GetCapability())
		case pb.Choosing_CHOOSING_DENY:
			args = append(args, "--deny="+c.GetCapability())
		case pb.Choosing_CHOOSING_LATER, pb.Choosing_CHOOSING_UNSPECIFIED:
		default:
			return done, invalid("choices: one is unknown")
		}
	}
	return done, s.command(ctx, &done, args...)
}

func (s packs) UpdatePack(ctx context.Context, r *connect.Request[pb.UpdatePackRequest]) (*connect.Response[pb.UpdatePackResponse], error) {
	caller := callerOf(ctx)
	if _, err := s.known(ctx, r.Msg.GetId()); err != nil {
		return nil, failure(err)
	}
	p, err := s.prepare(ctx, caller, r.Msg, "--update", "--", r.Msg.GetId())
	if err != nil {
		return nil, failure(err)
	}
	m := &pb.UpdatePackResponse{}
	switch {
	case p.Unchanged:
		m.Outcome = &pb.UpdatePackResponse_Unchanged{Unchanged: p.Pack.message()}
	case p.Quiet:
		done, err := s.install(ctx, caller, &pb.InstallPackRequest{Id: p.ID, Digest: p.Pack.Digest})
		if err != nil {
			return nil, failure(err)
		}
		m.Outcome = &pb.UpdatePackResponse_Installed{Installed: done.message()}
	default:
		m.Outcome = &pb.UpdatePackResponse_Prepared{Prepared: p.message()}
	}
	return connect.NewResponse(m), nil
}

func (s packs) RemovePack(ctx context.Context, r *connect.Request[pb.RemovePackRequest]) (*connect.Response[pb.RemovePackResponse], error) {
	if _, err := s.known(ctx, r.Msg.GetId()); err != nil {
		return nil, failure(err)
	}
	var done struct {
		Pack    packRow    `json:"pack"`
		Revoked []struct{} `json:"revoked"`
	}
	if err := s.command(ctx, &done, "pack", "rm", "--", r.Msg.GetId()); err != nil {
		return nil, failure(err)
	}
	return connect.NewResponse(&pb.RemovePackResponse{Pack: done.Pack.message(), Revoked: int32(len(done.Revoked))}), nil
}

// known is the row of a pack.
func (s packs) known(ctx context.Context, id string) (packRow, error) {
	all, err := s.packRows(ctx)
	if err != nil {
		return packRow{}, err
	}
	i := slices.IndexFunc(all, func(row packRow) bool { return row.ID == id })
	if i < 0 {
		return packRow{}, notFound("pack", id)
	}
	return all[i], nil
}
