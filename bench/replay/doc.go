// Package replay plays recorded traffic (package wire/record) against a target: each recorded client on a connection of its own, with the recorded messages at the recorded times, faster or slower if
// that is wanted, and sets what came of it beside what was recorded.
//
// It refuses to invent: what a recording lacks (data of COPY, withheld texts, messages that were left out) is not made up but left out again, and counted with the reason. Where the recording has stand-ins
// the target is asked for other rows than the clients asked for, so its times and errors may differ for that alone: Comparison.Notes says so.
//
// # Files
//
//	recording  Load: a file becomes sessions and transactions    split    where transactions begin and end, and which cannot be played
//	message    records become messages again                     conn     one connection: what was sent, what is owed
//	session    one recorded client, a load.Client                run      all of them, on their clock
//	compare    what was recorded beside what came of it          words    the same in sentences
//
// # Time
//
// A transaction is due at its recorded start, divided by the speed. Its latency counts from then, not from when the client got round to it: a client whose last transaction took longer than recorded starts the next one late,
// and that delay is the target's (no coordinated omission). Within a transaction the client's own pauses between an answer and its next message are kept, divided by the speed as well; so a slower answer
// makes the transaction longer and not the client quicker. With speed 0 there are no pauses, and a latency counts from the true start.
package replay
