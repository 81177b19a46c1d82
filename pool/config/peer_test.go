package config

import "testing"

func TestPeers(t *testing.T) {
	c := parseText(t, "[pgbouncer]\npeer_id = 2\ndefault_pool_size = 7\n[peers]\n1 = host=one.internal\n2 = host=10.0.0.2 port=6433 pool_size=3\n"+
		"3 = host=/run/three port=5555\n16383 = host=::1\n65535 = host=@abstract\n2 = host=10.0.0.3 port=1\n")
	if c.PeerID != 2 || len(c.Peers) != 5 {
		t.Fatalf("peer_id %d, peers %+v", c.PeerID, c.Peers)
	}
	for _, tc := range []struct {
		id, size         int
		network, address string
	}{
		{1, 7, "tcp", "one.internal:6432"},
		{2, 7, "tcp", "10.0.0.3:1"}, // the last line counts
		{3, 7, "unix", "/run/three/.s.PGSQL.5555"},
		{16383, 7, "tcp", "[::1]:6432"},
		{65535, 7, "unix", "@abstract/.s.PGSQL.6432"},
	} {
		p := c.Peers[tc.id]
		network, address := p.Address()
		if p.ID != tc.id || network != tc.network || address != tc.address || c.PeerPoolSize(p) != tc.size {
			t.Errorf("peer %d is %+v at %s %s, size %d; want %+v", tc.id, p, network, address, c.PeerPoolSize(p), tc)
		}
	}
	if c = parseText(t, "[peers]\n1 = host=x pool_size=3\n"); c.PeerPoolSize(c.Peers[1]) != 3 {
		t.Errorf("pool_size is %d, want 3", c.PeerPoolSize(c.Peers[1]))
	}
	if err := c.Set("peer_id", "16384", Origin{}); err == nil {
		t.Error("peer_id = 16384 is accepted")
	}
}

func TestPinning(t *testing.T) {
	c := parseText(t, "[poolerd]\npin_policy = error\n[databases]\na = host=x pin_policy=off max_pinned_servers=3\nb = host=x\none = host=x pool_size=1\nforced = host=x user=boss\n"+
		"[users]\nboss = pin_policy=pin\n")
	for _, tc := range []struct {
		database, user string
		policy         PinPolicy
		most           int
	}{
		{"a", "u", PinOff, 3},
		{"b", "u", PinError, 19},
		{"one", "u", PinError, 1},
		{"a", "boss", PinKeep, 3},
		{"forced", "u", PinKeep, 19},
	} {
		p, ok := c.Pool(tc.database, tc.user)
		if !ok || p.PinPolicy != tc.policy || p.MaxPinned != tc.most {
			t.Errorf("%s of %s: %v, %d; want %v, %d", tc.database, tc.user, p.PinPolicy, p.MaxPinned, tc.policy, tc.most)
		}
	}
	c.MaxPinnedServers = 5
	if p, _ := c.Pool("b", "u"); p.MaxPinned != 5 {
		t.Errorf("max_pinned_servers = 5 gives %d", p.MaxPinned)
	}
}
