package main

import (
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"ambit.dev/ambit/internal/core/capability"
)

// capabilitiesTopic is the text of `ambit help capabilities`.
func capabilitiesTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "capabilities",
		Short: "The vocabulary of what can be granted",
		Long:  capabilitiesText(),
	}
}

func capabilitiesText() string {
	var b strings.Builder
	b.WriteString(`A capability is written KIND or KIND:SCOPE. A path covers itself and all beneath
it; *, ? and […] match inside one name, ** across names; ~ is your home; other
paths are relative to the working directory or, in a manifest, to its folder.

`)
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, k := range capability.Kinds() {
		_, _ = t.Write([]byte("  " + string(k) + "\t" + k.Meaning() + "\n")) // a strings.Builder takes all
	}
	_ = t.Flush()
	b.WriteString(`
The process tier enforces fs.read, fs.write, fs.append, process.spawn, net.connect,
net.stream, net.listen, dns.lookup and secret.use. A launch that was granted
anything else is refused: what cannot be enforced is not ignored.
host.ambit.internal is the loopback of the host: a grant of
net.connect:host.ambit.internal:8080 leads to the service there. net.listen:8080
has 127.0.0.1:8080 of the host lead to the program.
net.connect:api.example.com/http:GET:/repos/** is for these requests only:
/http, methods, paths. Connections there are opened by certificates of the
sandbox's own, and each request is decided.
`)
	return b.String()
}
