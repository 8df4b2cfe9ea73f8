package two

import (
	"golang.org/x/net/http2"
)

// reset is told that the other side has ended a stream.
func (l *link) reset(f *http2.RSTStreamFrame) error {
	l.mu.Lock()
	if l.side.idle(f.StreamID) {
		l.mu.Unlock()
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	st := l.streams[f.StreamID]
	if st != nil {
		l.drop(st, &Reset{f.ErrCode})
	}
	l.mu.Unlock()
	if st != nil && st.from == nil {
		return l.waste()
	}
	return nil
}

// maxWindow is the largest window there is.
const maxWindow = 1<<31 - 1

// windowed is told that more may be sent.
func (l *link) windowed(f *http2.WindowUpdateFrame) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f.StreamID == 0 {
		if l.room += int64(f.Increment); l.room > maxWindow {
			return http2.ConnectionError(http2.ErrCodeFlowControl)
		}
	} else if l.side.idle(f.StreamID) {
		return http2.ConnectionError(http2.ErrCodeProtocol)
	} else if st := l.streams[f.StreamID]; st != nil {
		if st.room += int64(f.Increment); st.room > maxWindow {
			return http2.StreamError{StreamID: st.id, Code: http2.ErrCodeFlowControl}
		}
	}
	if l.waiting > 0 {
		l.drained.Broadcast()
	}
	return nil
}

// settings is told what the other side wants.
func (l *link) settings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	if err := f.ForeachSetting(l.setting); err != nil {
		return err
	}
	return l.answer(func() { l.begin(http2.FrameSettings, http2.FlagSettingsAck, 0, 0) })
}

func (l *link) setting(s http2.Setting) error {
	if err := s.Valid(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch s.ID {
	case http2.SettingInitialWindowSize:
		more := int64(s.Val) - l.first
		l.first = int64(s.Val)
		for _, st := range l.streams {
			if st.room += more; st.room > maxWindow {
				return http2.ConnectionError(http2.ErrCodeFlowControl)
			}
		}
		l.drained.Broadcast()
	case http2.SettingMaxFrameSize:
		l.frame = min(int(s.Val), maxFrame)
	case http2.SettingHeaderTableSize:
		l.coder.SetMaxDynamicTableSize(s.Val)
	default: // it is about one side, or not spoken
	}
	return l.side.settled(s)
}
