package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"ambit.dev/ambit/internal/companion/start"
	"ambit.dev/ambit/internal/enforce/microvm/image"
)

// imagesDir, in the state directory, is where images are kept.
const imagesDir = "images"

// guestProgram is process 1 of a machine, beside this program.
const guestProgram = "ambit-guest"

// imageProgram makes images, beside this program. It is given time to remove what
// it has begun.
const (
	imageProgram = "ambit-image"
	imageSettle  = 30 * time.Second
)

// images is the folder of images.
func (a *app) images() (string, error) {
	dir, err := a.state()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, imagesDir), nil
}

func (a *app) imageCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "image",
		Short: "Make and keep what machines are started from",
		Long: `Make images for the microVM tier. An image is a kernel, taken out of Debian's
package without installing it; an initramfs with Ambit's own first program; and a
read-only file system with the files of Debian packages of this host. It is named by
the digest of what is in it.

The image that was built last is the one that is used.`,
		Example: `  ambit image build --with python3,git
  ambit image ls
  ambit image rm 0123456789abcdef`,
	})
	cmd.AddCommand(a.imageBuild(), a.imageList(), a.imageRemove())
	return cmd
}

func (a *app) imageBuild() *cobra.Command {
	var with []string
	var kernel string
	cmd := &cobra.Command{
		Use:   "build [--with PART,…]",
		Short: "Make an image of this host's packages",
		Long: `Make an image and make it the one that is used. It has a shell and the usual small
programs; --with adds parts: names of Debian packages that are installed here (node
stands for nodejs), with all that they depend on.

The kernel is fetched with apt-get, which checks its signature; nothing is installed.
--kernel names another: a .deb, the folder of an unpacked one, or a vmlinuz-RELEASE
with its modules beside it.`,
		Example: `  ambit image build
  ambit image build --with python3,git,node
  ambit image build --kernel ./linux-image-6.1.0-1-cloud-amd64_6.1.1-1_amd64.deb`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.buildImage(cmd.Context(), kernel, with) },
	}
	cmd.Flags().StringSliceVar(&with, "with", nil, "add these `parts`: Debian packages, with what they depend on")
	cmd.Flags().StringVar(&kernel, "kernel", "", "take the kernel out of this `file` or folder")
	return cmd
}

func (a *app) buildImage(ctx context.Context, kernel string, with []string) error {
	store, err := a.images()
	if err != nil {
		return err
	}
	guest, err := start.Path(guestProgram)
	if err != nil {
		return err
	}
	p := &progress{a: a, last: a.now(), now: a.now}
	img, err := a.orderImage(ctx, image.Order{Store: store, Guest: guest, Kernel: kernel, Parts: with}, p)
	p.end()
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(img)
	}
	printf(a.out, "%s\n", img.ID)
	printf(a.err, "ambit: Linux %s, %s, %d packages, %s\n",
		img.Release, strings.Join(img.Parts, ","), img.Packages, megabytes(img.Size))
	return nil
}

// orderImage has the program beside this one make an image.
func (a *app) orderImage(ctx context.Context, o image.Order, p *progress) (image.Image, error) {
	none := image.Image{}
	path, err := start.Path(imageProgram)
	if err != nil {
		return none, err
	}
	// It starts apt-get, which takes proxies and the like from its environment.
	maker, err := start.Start(start.Config{Path: path, Env: os.Environ(), Stderr: a.err, Settle: imageSettle})
	if err != nil {
		return none, fmt.Errorf("images are made by %s: %w", path, err)
	}
	defer maker.Stop()
	defer context.AfterFunc(ctx, maker.Stop)()
	conn := maker.Conn(image.MaxMessage)
	if err := conn.Send(o); err != nil {
		return none, fmt.Errorf("order an image of %s: %w", imageProgram, err)
	}
	for {
		var n image.News
		switch err := conn.Receive(&n); {
		case ctx.Err() != nil:
			return none, errors.New("no image was made: it was interrupted")
		case err != nil:
			return none, fmt.Errorf("no image was made: %s has ended: %w", imageProgram, err)
		case n.Error != "":
			return none, errors.New(n.Error)
		case n.Image != nil:
			return *n.Image, nil
		}
		p.tell(n.What, n.Done)
	}
}

func megabytes(n int64) string { return strconv.FormatInt((n+500_000)/1_000_000, 10) + " MB" }

// progress says what goes on when it has taken two seconds: on a terminal in one
// line that changes, elsewhere a line for each thing.
type progress struct {
	a     *app
	now   func() time.Time
	last  time.Time
	what  string
	shown bool
}

const sayAfter = 2 * time.Second

// tell is told what goes on, and how much of it is done, in a hundred; 0 where
// nobody knows.
func (p *progress) tell(what string, done int) {
	if p.a.json {
		return
	}
	tty := term.IsTerminal(int(os.Stderr.Fd()))
	if p.now().Sub(p.last) < sayAfter && (what == p.what || p.what == "") || !tty && what == p.what {
		if p.what == "" {
			p.what = what
		}
		return
	}
	p.last, p.what = p.now(), what
	text := "ambit: " + what + "…"
	if done > 0 {
		text += fmt.Sprintf(" %d%%", done)
	}
	if tty {
		printf(p.a.err, "\r\x1b[K%s", text)
		p.shown = true
		return
	}
	printf(p.a.err, "%s\n", text)
}

func (p *progress) end() {
	if p.shown {
		printf(p.a.err, "\r\x1b[K")
	}
}

func (a *app) imageList() *cobra.Command {
	return &cobra.Command{
		Use:     "ls",
		Short:   "List the images",
		Example: "  ambit image ls\n  ambit image ls --json",
		Args:    nothing,
		RunE: func(*cobra.Command, []string) error {
			store, err := a.images()
			if err != nil {
				return err
			}
			all, err := image.List(store)
			if err != nil {
				return err
			}
			used, err := image.Default(store)
			if err != nil {
				used.ID = "" // there is none, or one that can only be removed
			}
			if a.json {
				if all == nil {
					all = []image.Image{}
				}
				return a.printJSON(all)
			}
			return a.printImages(all, used.ID)
		},
	}
}

func (a *app) printImages(all []image.Image, used string) error {
	rows := make([][]string, 0, len(all))
	for _, i := range all {
		mark := ""
		if i.ID == used {
			mark = "used"
		}
		rows = append(rows, []string{i.ID, i.Release, strings.Join(i.Parts, ","), strconv.Itoa(i.Packages), megabytes(i.Size), mark})
	}
	if len(rows) == 0 {
		printf(a.err, "ambit: %v\n", image.ErrNone)
		return nil
	}
	return table(a.out, []string{"IMAGE", "LINUX", "PARTS", "PACKAGES", "SIZE", ""}, rows)
}

func (a *app) imageRemove() *cobra.Command {
	return &cobra.Command{
		Use:     "rm IMAGE…",
		Short:   "Remove images, and the templates that were made from them",
		Example: "  ambit image rm 0123456789abcdef\n  ambit image rm --json 0123456789abcdef",
		Args:    cobra.MinimumNArgs(1),
		ValidArgsFunction: func(_ *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
			store, err := a.images()
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			all, err := image.List(store)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var ids []string
			for _, i := range all {
				if !slices.Contains(given, i.ID) {
					ids = append(ids, i.ID)
				}
			}
			return ids, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, ids []string) error {
			store, err := a.images()
			if err != nil {
				return err
			}
			for _, id := range ids {
				if err := image.Remove(store, id); err != nil {
					return err
				}
			}
			return nil
		},
	}
}
