package main

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// becomeUser gives up root for the user that the settings name, with that user's groups, for good. It does nothing when that is the user already. What follows (the
// log, the sockets, every reload) is done as that user.
func becomeUser(name string) error {
	if name == "" {
		return nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return fmt.Errorf("become the user %q (user): %w", name, err)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return fmt.Errorf("become the user %q (user): its id is %q", name, u.Uid)
	}
	if os.Getuid() == uid && os.Geteuid() == uid {
		return nil
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("become the user %q (user): only root can; start as root, or as that user", name)
	}
	if err := drop(u, uid); err != nil {
		return fmt.Errorf("become the user %q (user): %w", name, err)
	}
	return nil
}

// drop changes groups first: without root that is not possible any more.
func drop(u *user.User, uid int) error {
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return fmt.Errorf("its group is %q", u.Gid)
	}
	texts, err := u.GroupIds()
	if err != nil {
		return err
	}
	groups := make([]int, 0, len(texts))
	for _, text := range texts {
		if id, err := strconv.Atoi(text); err == nil {
			groups = append(groups, id)
		}
	}
	// Go makes these calls on every thread of the process.
	if err := syscall.Setgroups(groups); err != nil {
		return fmt.Errorf("setgroups: %w", err)
	}
	if err := syscall.Setgid(gid); err != nil {
		return fmt.Errorf("setgid: %w", err)
	}
	if err := syscall.Setuid(uid); err != nil {
		return fmt.Errorf("setuid: %w", err)
	}
	if uid != 0 && syscall.Setuid(0) == nil {
		return fmt.Errorf("root could be had back")
	}
	return nil
}
