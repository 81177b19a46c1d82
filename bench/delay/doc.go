// Package delay puts a network's round trip between two programs of one machine.
//
// A Proxy accepts connections, opens one to its target for each, and hands on every byte half a round trip after it came, in each direction. What a
// round trip costs a pool of connections, or what a server that has stopped answering does to its clients, can be seen that way without a second
// machine and without rights over the kernel's queues.
//
// Only time is added. Throughput is not limited: bytes wait in a queue with the moment they are due, and up to Options.Hold of them wait in each
// direction before the sender is held back as by a full window. Order, half-closed connections and resets pass through, late by the same time. A
// connection's first bytes wait one round trip more, as they would for TCP's handshake, which the proxy itself cannot slow down.
//
// # Accuracy
//
// No byte is early. Go's own timers sleep in whole milliseconds when a program is idle, which is too coarse for a round trip of one; so a timerfd in
// the runtime's poller wakes the proxy on Linux. On a virtual machine with 2 cores an echo over 1 or 5 ms takes 0.08 ms longer than the round
// trip (the median; 0.02 ms of it are the proxy's own hops, and a byte is 0.02 to 0.03 ms late), over 20 ms 0.37 ms longer, since an idle processor of that
// machine is slow to wake. On a busy machine it is as late as its processors are busy; Stats tells what it was in a real run. Elsewhere than
// on Linux it is as good as the runtime's timers.
//
// # How
//
// Each direction of a connection is a pipe, with one goroutine that reads. A clock owns a share of the pipes: a heap ordered by the moment when
// a pipe's first bytes are due, and one goroutine that sleeps until then and writes. A write that would block moves to a goroutine of its own
// until the pipe has caught up. A pipe's queue belongs to its clock's lock; its bytes belong to the reader until they are in the queue, then
// to whoever has set the pipe's state to writing. No lock is held across a read, a write or a close.
//
// What it refuses to do: to understand the bytes, to lose, damage or reorder any, and to limit bandwidth.
package delay
