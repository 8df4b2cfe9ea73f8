package capability_test

import (
	"errors"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/core/capability"
)

// TestRefuse gives each refused text beside the place where it stops to make
// sense and a part of what is said about it.
func TestRefuse(t *testing.T) {
	long := strings.Repeat("a", 64)
	for _, tc := range []struct {
		text   string
		offset int
		msg    string
	}{
		{"", 0, "found nothing"},
		{"nonsense:x", 0, "one of fs.…, net.…, dns.…"},
		{"FS.READ:/a", 0, "expected a kind"},
		{"fs.eat:/a", 0, "one of fs.read, fs.write, fs.append"},
		{"fs.read" + strings.Repeat("a", 20000), 16640, "at most 16640 bytes"},
		{"process.kill:", 12, "takes no scope"},
		{"process.kill:x", 12, "takes no scope"},
		{"fs.read", 7, `expected ":" and a path`},
		{"fs.read:", 8, "expected a path"},

		// Paths.
		{"fs.read:/", 8, "whole file system"},
		{"fs.read://", 8, "whole file system"},
		{"fs.write:/.", 9, "whole file system"},
		{"fs.read:/**", 8, "whole file system"},
		{"fs.read:/*", 8, "whole file system"},
		{"fs.read:/?*/**", 8, "whole file system"},
		{"fs.read:/*/*", 8, "whole file system"},
		{"fs.read:/**/[!a]", 8, "whole file system"},
		{"fs.read:/*e*", 8, "whole file system"},
		{"process.spawn:/", 14, "whole file system"},
		{"fs.read:/a/../..", 14, "climbs above"},
		{"fs.read:/a/..", 8, "whole file system"},
		{"fs.read:~/..", 10, "climbs above"},
		{"fs.read:..", 8, "climbs above"},
		{"fs.read:/a/*/..", 13, "expected no .."},
		{"fs.read:/a/../*", 11, "expected no .."},
		{"fs.read:~root", 9, "./~"},
		{"fs.read: /a", 8, "no space"},
		{"fs.read:/a\x00", 10, "NUL"},
		{"fs.read:/a/b**", 12, "alone between slashes"},
		{"fs.read:/a/***", 11, "alone between slashes"},
		{`fs.read:/a/\n`, 11, "after the backslash"},
		{`fs.read:/a/\`, 11, "after the backslash"},
		{`fs.read:/a/\/b`, 11, "after the backslash"},
		{`fs.read:/a/\x2f`, 11, "after the backslash"},
		{`fs.read:/a/\x00`, 11, "after the backslash"},
		{`fs.read:/a\x0a/\x0a\q`, 19, "after the backslash"},
		{`fs.read:/a/\x0a\\x\q`, 18, "after the backslash"},
		{"fs.read:/a/[.][.]", 11, "written plainly"},
		{"fs.read:/a/[", 12, "expected ]"},
		{"fs.read:/a/[b/c]", 13, "expected ]"},
		{"fs.read:/a/[]b]", 12, "expected a character"},
		{"fs.read:/a/[!]", 13, "expected a character"},
		{"fs.read:/a/[b-", 14, "expected ]"},
		{"fs.read:/a/[-b]", 12, `\- for - itself`},
		{"fs.read:/a/[b-]]", 14, `\] for ] itself`},
		{"fs.read:/a/[z-a]", 14, "ascends"},
		{"fs.read:/a/[[:alpha:]]", 12, `\[ for [ itself`},
		{`fs.read:/a/[\q]`, 12, "after the backslash"},
		{`fs.read:/a/[\`, 12, "after the backslash"},
		{"fs.read:/a/[\xff]", 12, "UTF-8"},
		{"fs.read:/" + strings.Repeat("a/", 2100), 8, "at most 4096 bytes"},
		{"fs.read:/" + strings.Repeat("é?", 1400), 8, "at most 4096 bytes"},

		// Names and addresses.
		{"net.connect:", 12, "expected a host"},
		{"net.connect:ä.com", 12, "xn--"},
		{"net.connect:a b.com", 13, "letters, digits"},
		{"net.connect:a..com", 14, "found nothing"},
		{"net.connect:.", 12, "found nothing"},
		{"net.connect:a.*.com", 14, "only as the first part"},
		{"net.connect:-a.com", 12, "no - at either end"},
		{"net.connect:x.a-", 14, "no - at either end"},
		{"net.connect:" + long, 75, "at most 63"},
		{"net.connect:" + strings.Repeat("aaa.", 64) + "a", 265, "at most 253"},
		{"net.connect:*.", 14, "found nothing"},
		{"net.connect:*.localhost", 14, "one by one"},
		{"net.connect:*.corp.internal", 14, "one by one"},
		{"net.connect:*.1", 14, "does not end in a number"},
		{"net.connect:2130706433", 12, "octal, hexadecimal"},
		{"net.connect:0x7f000001", 12, "octal, hexadecimal"},
		{"net.connect:127.1", 12, "octal, hexadecimal"},
		{"net.connect:0177.0.0.1", 12, "octal, hexadecimal"},
		{"net.connect:127.0.0.0x1.", 12, "octal, hexadecimal"},
		{"net.connect:1.2.3.4.", 12, "octal, hexadecimal"},
		{"net.connect:1.2.3.4/33", 12, "expected an address"},
		{"net.connect:a.com/24", 12, "expected an address"},
		{"net.connect:0.0.0.0/0", 12, "less than every address"},
		{"net.connect:::/0", 12, "less than every address"},
		{"net.connect:::ffff:0:0/96", 12, "less than every address"},
		{"net.connect:::ffff:0:0/95", 12, "IPv4 form"},
		{"net.connect:fe80::1%eth0", 12, "without a zone"},
		{"net.connect:[::1", 16, `expected "]"`},
		{"net.connect:[::1]80", 17, `":" and a port`},
		{"net.connect:[1.2.3.4]", 13, "IPv6 address inside brackets"},
		{"net.connect:[]", 13, "expected an address"},
		{"net.connect:[a.com]", 13, "expected an address"},
		{"net.connect:a[b].com", 12, "expected an address"},
		{"net.connect:a.com:", 18, "a port from 1"},
		{"net.connect:a.com:0", 18, "a port from 1"},
		{"net.connect:a.com:080", 18, "a port from 1"},
		{"net.connect:a.com:65536", 18, "a port from 1"},
		{"net.connect:a.com:+80", 18, "a port from 1"},
		{"net.connect:a.com:90-80", 21, "at least 90"},
		{"net.connect:a.com:90-", 21, "a port from 1"},
		{"net.stream:a.com/udp", 11, "expected an address"},
		{"net.listen:*", 11, "a port from 1"},
		{"net.listen:80/", 14, "a port from 1"},
		{"dns.lookup:a.com", 16, "record types"},
		{"dns.lookup:a.com/TXT,XX", 21, "expected one of A AAAA"},
		{"dns.lookup:1.2.3.4/TXT", 11, "found an address"},
		{"dns.lookup:[/TXT", 12, `expected "]"`},
		{"dns.lookup:[::1]/TXT", 11, "found an address"},
		{"dns.lookup:a..b/TXT", 13, "found nothing"},

		// Names of other things.
		{"secret.read:*", 12, "expected a name"},
		{"secret.read:a@b", 13, "expected a name"},
		{"secret.read:" + strings.Repeat("a", 256), 267, "at most 255"},
		{"secret.use:a", 12, "expected @"},
		{"secret.use:@a.com", 11, "found nothing"},
		{"secret.use:a@", 13, "found nothing"},
		{"secret.use:a@*", 13, "every host"},
		{"secret.use:a@a.com:x", 19, "a port from 1"},
		{"db.query:a//b", 11, "found nothing"},
		{"db.query:a/*/b", 11, "expected a name"},
		{"db.query:a/../b", 11, "no meaning"},
		{"db.query:ä", 9, "expected a name"},
		{"usb.device:046d", 15, "VENDOR:PRODUCT"},
		{"usb.device:046dc52b", 15, "VENDOR:PRODUCT"},
		{"usb.device:046d:c52g", 19, "VENDOR:PRODUCT"},
		{"usb.device:046d:c52bb", 20, "VENDOR:PRODUCT"},
		{"systemd.unit:nginx", 18, "the unit's type"},
		{"systemd.unit:a/b.service", 14, "only letters"},
		{"systemd.unit:" + strings.Repeat("a", 250) + ".service", 268, "at most 255"},
		{"kernel.module:a.b", 15, "only letters"},
		{"kernel.module:" + strings.Repeat("a", 256), 269, "at most 255"},

		// Other systems' spellings.
		{"FsRead", 6, "expected (…) with a path"},
		{`FsRead("/a"`, 11, `expected ")"`},
		{"FsRead(/a)", 7, "double quotes"},
		{`FsRead("/a"b")`, 10, `\" for a quote`},
		{`FsRead("/a\q")`, 10, "after the backslash"},
		{`FsRead("/a\")`, 10, "after the backslash"},
		{`FsRead("/a\x8a")`, 10, "after the backslash"},
		{`FsRead("/a\u{d800}")`, 10, "after the backslash"},
		{`FsRead("/")`, 8, "whole file system"},
		{`Capability::FsRead("/")`, 20, "whole file system"},
		{"NetworkInbound(0)", 15, "a port from 1"},
		{`NetworkInbound("80")`, 15, "a port from 1"},
		{"NetworkOutbound(80)", 15, "expected nothing after NetworkOutbound"},
		{"fs.read./", 8, "whole file system"},
		{"fs.read.", 8, "expected a path"},
		{"db.query.a b", 10, "expected a name"},
	} {
		c, err := capability.Parse(tc.text)
		var e *capability.SyntaxError
		if !errors.As(err, &e) {
			t.Errorf("Parse(%.60q) = %q, %v; want a SyntaxError", tc.text, c, err)
			continue
		}
		if e.Offset != tc.offset || !strings.Contains(e.Msg, tc.msg) || e.Text != tc.text || !c.IsZero() {
			t.Errorf("Parse(%.60q): got %d, %q; want %d, %q", tc.text, e.Offset, e.Msg, tc.offset, tc.msg)
		}
	}
}

func TestSyntaxError(t *testing.T) {
	_, err := capability.Parse("fs.read:/\x1b/..")
	if got, want := err.Error(), `capability "fs.read:/\x1b/..": at byte 8: expected a directory of / by name, or a name further down; / is as wide as the whole file system`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	_, err = capability.Parse(strings.Repeat("x", 500))
	if got := err.Error(); len(got) > 600 || !strings.Contains(got, `xx"…`) {
		t.Errorf("got %s", got)
	}
}
