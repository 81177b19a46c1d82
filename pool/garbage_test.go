package pool_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"

	"poolerd/bench/postgres"
	"poolerd/pool"
	"poolerd/pool/config"
	"poolerd/wire"
)

// TestGarbage: whatever some clients send, whole messages, half ones or noise, nobody else is told of it.
func TestGarbage(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cluster, err := postgres.Start(ctx, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cluster.Stop(context.Background()) })
	conf := config.Defaults()
	conf.AuthType, conf.DefaultPoolSize, conf.QueryWaitTimeout = config.AuthTrust, 3, 20*time.Second
	if err := config.ApplyUpstream(conf, cluster.URL("postgres", "postgres"), config.Origin{}); err != nil {
		t.Fatal(err)
	}
	p, err := pool.New(conf, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- p.Serve(l) }()
	defer func() {
		p.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)

	noise, quiet := context.WithTimeout(ctx, 3*time.Second)
	defer quiet()
	var all sync.WaitGroup
	for i := range 8 {
		dice := rand.New(rand.NewSource(seed + int64(i)))
		all.Go(func() {
			for noise.Err() == nil {
				babble(l.Addr().String(), dice)
			}
		})
	}
	for i := range 4 {
		all.Go(func() { honest(noise, t, l.Addr().String(), i) })
	}
	all.Wait()
}

// honest asks for its own number again and again, prepared and in transactions.
func honest(noise context.Context, t *testing.T, addr string, number int) {
	ctx := context.WithoutCancel(noise)
	conn, err := pgx.Connect(ctx, fmt.Sprintf("postgres://postgres@%s/postgres?sslmode=disable", addr))
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = conn.Close(ctx) }()
	for n := 0; noise.Err() == nil; n++ {
		want := number*1_000_000 + n
		var got int
		if err := conn.QueryRow(ctx, "SELECT $1::int", want).Scan(&got); err != nil || got != want {
			t.Errorf("got %d, %v, want %d", got, err, want)
			return
		}
		tx, err := conn.Begin(ctx)
		if err == nil {
			if err = tx.QueryRow(ctx, "SELECT $1::int + 1", want).Scan(&got); err == nil {
				err = tx.Commit(ctx)
			}
		}
		if err != nil || got != want+1 {
			t.Errorf("in a transaction: got %d, %v, want %d", got, err, want+1)
			return
		}
	}
}

// babble is one session of nonsense, most of it close to the protocol.
func babble(addr string, dice *rand.Rand) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer func() { _ = nc.Close() }()
	if dice.Intn(2) == 0 {
		_ = nc.(*net.TCPConn).SetLinger(0)
	}
	_ = nc.SetDeadline(time.Now().Add(100 * time.Millisecond))
	b := make([]byte, 4096)
	if dice.Intn(5) == 0 {
		_, _ = nc.Write(bytesOf(dice, 200))
		_, _ = nc.Read(b)
		return
	}
	_, _ = nc.Write(wire.AppendStartup(nil, wire.Version30, []wire.Param{{Name: "user", Value: "postgres"}, {Name: "database", Value: "postgres"}}))
	if _, err := nc.Read(b); err != nil {
		return
	}
	bodies := []string{
		"SELECT 1\x00", "BEGIN\x00", "ROLLBACK\x00", "\x00SELECT 1\x00\x00\x00", "\x00\x00\x00\x00\x00\x00\x00\x00", "S\x00", "P\x00", "\x00\x00\x00\x00\x00",
		"SELECT pg_sleep(0.01)\x00", "COPY pg_class TO STDOUT\x00", "CREATE TEMP TABLE g (a int); COPY g FROM STDIN\x00", "SET work_mem = '5MB'\x00", "",
	}
	var out []byte
	for range 1 + dice.Intn(8) {
		body := bodies[dice.Intn(len(bodies))]
		if dice.Intn(4) == 0 {
			body = string(bytesOf(dice, 60))
		}
		size := uint32(len(body) + 4)
		if dice.Intn(12) == 0 {
			size = []uint32{0, 3, size + 5, 1 << 29, 1<<31 - 1}[dice.Intn(5)]
		}
		out = append(out, "QPBDECSHFdcfSQPBES"[dice.Intn(18)])
		out = append(binary.BigEndian.AppendUint32(out, size), body...)
	}
	_, _ = nc.Write(out)
	if dice.Intn(2) == 0 {
		_, _ = nc.Read(b)
	}
}

func bytesOf(dice *rand.Rand, most int) []byte {
	b := make([]byte, dice.Intn(most))
	_, _ = dice.Read(b)
	return b
}
