package admin

import (
	"bufio"
	"context"
	"io"

	"poolerd/wire"
)

// ahead bounds the messages that are read while a command waits. A client that sends more is not seen to leave before the command has ended.
const ahead = 16

// message is one message of the client, or the end of its messages.
type message struct {
	typ  byte
	body []byte
	err  error
}

// incoming reads the client's messages, on a goroutine of its own: a command that waits must notice that its client has gone.
type incoming struct {
	messages chan message // closed by the reader, behind the error that ended it
	over     chan struct{}
	ended    chan struct{}   // the reader's end
	present  context.Context // until the client says goodbye, or its connection ends
}

// read starts the reader. stop ends it: the connection's reads must have been ended before, by a deadline or otherwise.
func read(from io.Reader) *incoming {
	present, gone := context.WithCancel(context.Background())
	in := &incoming{messages: make(chan message, ahead), over: make(chan struct{}), ended: make(chan struct{}), present: present}
	go func() {
		defer close(in.ended)
		defer gone()
		defer close(in.messages)
		r := bufio.NewReader(from)
		for {
			typ, body, err := wire.ReadMessage(r, mostMessage)
			last := err != nil || typ == wire.ClientTerminate
			if last {
				gone()
			}
			select {
			case in.messages <- message{typ, body, err}:
			case <-in.over:
				return
			}
			if last {
				return
			}
		}
	}()
	return in
}

func (in *incoming) stop() {
	close(in.over)
	<-in.ended
}
