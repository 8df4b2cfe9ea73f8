package terminal_test

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// vt is what a terminal shows: enough of xterm for the programs that the tests
// run. It answers what programs ask it, by reply.
type vt struct {
	reply func(string)
	mute  bool // it does not say which screen it shows, as tmux before 3.6

	mu      sync.Mutex
	w, h    int       // guarded by mu, as all that follows
	cells   [2][]rune // main and alternate screen
	alt     int       // which is shown
	x, y    int
	saved   [2][2]int // cursor, by screen
	top     int       // scrolling region
	bottom  int
	pending []byte
	bells   int
	insert  bool
	wrapped bool // the cursor is past the last column
}

func newVT(w, h int, reply func(string)) *vt {
	v := &vt{w: w, h: h, bottom: h - 1, reply: reply}
	for i := range v.cells {
		v.cells[i] = []rune(strings.Repeat(" ", w*h))
	}
	return v
}

// text is what is shown, a line a line.
func (v *vt) text() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	var b strings.Builder
	for y := range v.h {
		b.WriteString(strings.TrimRight(string(v.cells[v.alt][y*v.w:(y+1)*v.w]), " ") + "\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// alternate reports whether the alternate screen is shown.
func (v *vt) alternate() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.alt == 1
}

// cursor is where the next character goes.
func (v *vt) cursor() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return fmt.Sprint(v.x, v.y)
}

func (v *vt) write(p []byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	in := append(v.pending, p...)
	for len(in) > 0 {
		n := v.step(in)
		if n == 0 {
			break
		}
		in = in[n:]
	}
	v.pending = append([]byte(nil), in...)
}

// step takes one character or sequence and says how long it was.
func (v *vt) step(in []byte) int {
	switch c := in[0]; c {
	case 0x1b:
		return v.escape(in)
	case '\r':
		v.x, v.wrapped = 0, false
	case '\n':
		v.down()
	case '\b':
		v.x, v.wrapped = max(v.x-1, 0), false
	case '\t':
		v.x = min((v.x/8+1)*8, v.w-1)
	case 7:
		v.bells++
	default:
		if c < ' ' {
			return 1
		}
		if !utf8.FullRune(in) {
			return 0
		}
		r, n := utf8.DecodeRune(in)
		v.put(r)
		return n
	}
	return 1
}

func (v *vt) row(y int) []rune { return v.cells[v.alt][y*v.w : (y+1)*v.w] }

func (v *vt) put(r rune) {
	if v.wrapped {
		v.x, v.wrapped = 0, false
		v.down()
	}
	row := v.row(v.y)
	if v.insert {
		copy(row[v.x+1:], row[v.x:])
	}
	row[v.x] = r
	if v.x == v.w-1 {
		v.wrapped = true
	} else {
		v.x++
	}
}

func (v *vt) down() {
	v.wrapped = false
	if v.y == v.bottom {
		v.scroll(v.top, 1)
	} else if v.y < v.h-1 {
		v.y++
	}
}

// scroll moves the lines from one on to the bottom of the region up by n.
func (v *vt) scroll(from, n int) {
	for y := from; n > 0 && y <= v.bottom; y++ {
		if y+n <= v.bottom {
			copy(v.row(y), v.row(y+n))
		} else {
			v.blank(y, 0, v.w)
		}
	}
	for y := v.bottom; n < 0 && y >= from; y-- {
		if y+n >= from {
			copy(v.row(y), v.row(y+n))
		} else {
			v.blank(y, 0, v.w)
		}
	}
}

func (v *vt) blank(y, from, to int) {
	row := v.row(y)
	for x := max(from, 0); x < min(to, v.w); x++ {
		row[x] = ' '
	}
}

func (v *vt) escape(in []byte) int {
	if len(in) < 2 {
		return 0
	}
	switch in[1] {
	case '[':
		for i := 2; i < len(in); i++ {
			if in[i] >= 0x40 && in[i] <= 0x7e {
				v.control(string(in[2:i]), in[i])
				return i + 1
			}
		}
		return 0
	case ']', 'P', '_', '^', 'X':
		for i := 2; i < len(in); i++ {
			if in[i] == 7 || in[i] == '\\' && in[i-1] == 0x1b {
				return i + 1
			}
		}
		return 0
	case '(', ')', '#', '%', ' ':
		if len(in) < 3 {
			return 0
		}
		return 3
	case '7':
		v.saved[v.alt] = [2]int{v.x, v.y}
	case '8':
		v.x, v.y = v.saved[v.alt][0], v.saved[v.alt][1]
		v.wrapped = false
	case 'D':
		v.down()
	case 'E':
		v.x = 0
		v.down()
	case 'M':
		if v.y == v.top {
			v.scroll(v.top, -1)
		} else {
			v.y = max(v.y-1, 0)
		}
	}
	return 2
}

func (v *vt) control(args string, final byte) {
	private := strings.HasPrefix(args, "?")
	var n []int
	for a := range strings.SplitSeq(strings.Trim(args, "?>=!$ \""), ";") {
		i, _ := strconv.Atoi(a)
		n = append(n, i)
	}
	one := max(n[0], 1)
	switch {
	case private && (final == 'h' || final == 'l'):
		for _, mode := range n {
			v.mode(mode, final == 'h')
		}
		return
	case private && final == 'p':
		if !v.mute && n[0] == 1049 {
			v.answer(fmt.Sprintf("\x1b[?1049;%d$y", 2-v.alt))
		}
		return
	case strings.ContainsAny(args, "?>=!$\" "):
		if final == 'c' {
			v.answer("\x1b[>41;366;0c")
		}
		return
	}
	switch final {
	case 'A':
		v.y = max(v.y-one, 0)
	case 'B':
		v.y = min(v.y+one, v.h-1)
	case 'C':
		v.x = min(v.x+one, v.w-1)
	case 'D':
		v.x = max(v.x-one, 0)
	case 'G':
		v.x = min(one, v.w) - 1
	case 'd':
		v.y = min(one, v.h) - 1
	case 'H', 'f':
		v.y, v.x = min(one, v.h)-1, 0
		if len(n) > 1 {
			v.x = min(max(n[1], 1), v.w) - 1
		}
	case 'J':
		v.erase(n[0])
	case 'K':
		switch n[0] {
		case 0:
			v.blank(v.y, v.x, v.w)
		case 1:
			v.blank(v.y, 0, v.x+1)
		default:
			v.blank(v.y, 0, v.w)
		}
	case 'L':
		v.scroll(v.y, -one)
	case 'M':
		v.scroll(v.y, one)
	case 'S':
		v.scroll(v.top, one)
	case 'T':
		v.scroll(v.top, -one)
	case 'P':
		row := v.row(v.y)
		copy(row[v.x:], row[min(v.x+one, v.w):])
		v.blank(v.y, v.w-one, v.w)
	case '@':
		row := v.row(v.y)
		copy(row[min(v.x+one, v.w):], row[v.x:])
		v.blank(v.y, v.x, v.x+one)
	case 'X':
		v.blank(v.y, v.x, v.x+one)
	case 'r':
		v.top, v.bottom = one-1, v.h-1
		if len(n) > 1 && n[1] > 0 {
			v.bottom = min(n[1], v.h) - 1
		}
		v.x, v.y = 0, 0
	case 'h', 'l':
		if n[0] == 4 {
			v.insert = final == 'h'
		}
	case 'c':
		v.answer("\x1b[?62;22c")
	case 'n':
		if n[0] == 6 {
			v.answer(fmt.Sprintf("\x1b[%d;%dR", v.y+1, v.x+1))
		}
	}
	if final != 'm' && final != 'n' && final != 'c' {
		v.wrapped = false
	}
}

func (v *vt) answer(s string) {
	if v.reply != nil {
		go v.reply(s) // not while it is read from
	}
}

func (v *vt) erase(how int) {
	from, to := v.y+1, v.h
	switch how {
	case 0:
		v.blank(v.y, v.x, v.w)
	case 1:
		v.blank(v.y, 0, v.x+1)
		from, to = 0, v.y
	default:
		from = 0
	}
	for y := from; y < to; y++ {
		v.blank(y, 0, v.w)
	}
}

func (v *vt) mode(n int, set bool) {
	if n != 1049 && n != 47 && n != 1047 {
		return
	}
	switch {
	case set && n == 1049:
		v.saved[0] = [2]int{v.x, v.y}
		v.alt = 1
		v.erase(2)
	case set:
		v.alt = 1
	default:
		v.alt = 0
		if n == 1049 {
			v.x, v.y = v.saved[0][0], v.saved[0][1]
		}
	}
	v.wrapped = false
}
