package server

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
)

const (
	defaultPage = 100
	maxPage     = 1000
)

// tokens makes and reads page tokens: where a list goes on, and of which list.
//
// Security: a token is good for the caller and the request that it was made for,
// and for this process: another one's, or one that somebody made up, is refused.
type tokens struct{ key []byte }

func newTokens() tokens {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	return tokens{key}
}

const macSize = 16

// of names a list: whose it is, and the request without the page.
func (t tokens) mac(caller Caller, list, after string) []byte {
	m := hmac.New(sha256.New, t.key)
	for _, part := range []string{caller.Principal, list, after} {
		sum := sha256.Sum256([]byte(part)) // so that no part goes over into the next
		m.Write(sum[:])
	}
	return m.Sum(nil)[:macSize]
}

func (t tokens) make(caller Caller, list, after string) string {
	if after == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(append(t.mac(caller, list, after), after...))
}

func (t tokens) read(caller Caller, list, token string) (after string, err error) {
	if token == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) <= macSize || !hmac.Equal(b[:macSize], t.mac(caller, list, string(b[macSize:]))) {
		return "", connect.NewError(connect.CodeInvalidArgument, errors.New("the page token is not of this request, or from before the host was started; begin with the first page"))
	}
	return string(b[macSize:]), nil
}

// paged is a request for one page.
type paged interface {
	proto.Message
	GetPageSize() int32
	GetPageToken() string
}

// listOf names the list that a request is for: all of it but the page.
func listOf(r paged) (string, error) {
	c := proto.Clone(r).ProtoReflect()
	for _, name := range []string{"page_size", "page_token"} {
		for i := range c.Descriptor().Fields().Len() {
			if f := c.Descriptor().Fields().Get(i); string(f.Name()) == name {
				c.Clear(f)
			}
		}
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(c.Interface())
	return string(c.Descriptor().FullName()) + "\x00" + string(b), err
}

func pageSize(r paged) (int, error) {
	switch n := int(r.GetPageSize()); {
	case n < 0:
		return 0, connect.NewError(connect.CodeInvalidArgument, errors.New("page_size: expected how many, or 0"))
	case n == 0:
		return defaultPage, nil
	default:
		return min(n, maxPage), nil
	}
}

// page is the page of all that a request is for, and the token of the next one.
// Items are put into the order of their keys, each of which is another.
func page[T any](t tokens, caller Caller, r paged, all []T, key func(T) string, newestFirst bool) (some []T, next string, err error) {
	list, err := listOf(r)
	if err != nil {
		return nil, "", err
	}
	after, err := t.read(caller, list, r.GetPageToken())
	if err != nil {
		return nil, "", err
	}
	most, err := pageSize(r)
	if err != nil {
		return nil, "", err
	}
	sorted := withKeys(all, key, newestFirst)
	if after != "" {
		i := slices.IndexFunc(sorted, func(it keyedItem[T]) bool { return order(it.key, after, newestFirst) > 0 })
		if i < 0 {
			return nil, "", nil
		}
		sorted = sorted[i:]
	}
	if len(sorted) > most {
		next, sorted = t.make(caller, list, sorted[most-1].key), sorted[:most]
	}
	for _, it := range sorted {
		some = append(some, it.item)
	}
	return some, next, nil
}

// A keyedItem is an item with its key, which takes longer to make than to compare.
type keyedItem[T any] struct {
	key  string
	item T
}

func withKeys[T any](all []T, key func(T) string, newestFirst bool) []keyedItem[T] {
	sorted := make([]keyedItem[T], 0, len(all))
	for _, it := range all {
		sorted = append(sorted, keyedItem[T]{key(it), it})
	}
	slices.SortFunc(sorted, func(a, b keyedItem[T]) int { return order(a.key, b.key, newestFirst) })
	return sorted
}

func order(a, b string, newestFirst bool) int {
	if newestFirst {
		a, b = b, a
	}
	return strings.Compare(a, b)
}
