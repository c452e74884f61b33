package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"
)

const (
	// drainTimeout is how long running invocations may finish after an order to shut down. A host that stops waits 10
	// seconds (facts: functions-host 1.5).
	drainTimeout = 8 * time.Second
	// idleTimeout lies above that of the host's connection pool, else a connection that closes just as the host uses it
	// is a failed invocation (facts: functions-host 3.3).
	idleTimeout = 10 * time.Minute
)

// openPort listens where the host will call, on this machine only.
func openPort(ctx context.Context, port int) (net.Listener, error) {
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s (%s): %w", address, setPort, err)
	}
	return listener, nil
}

// serveDoors answers until ctx ends; then it stops listening, lets running invocations finish for drainTimeout and
// returns nil. Every other end is an error: the host does not replace a handler that left in peace (facts:
// functions-host 1.4).
func serveDoors(ctx context.Context, listener net.Listener, handler http.Handler, log *slog.Logger) error {
	// Invocations outlive the order to shut down, for a while.
	base := context.WithoutCancel(ctx)
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		// No ReadTimeout and no WriteTimeout: they would cut a long invocation. The doors bound reading by their own
		// deadline.
		IdleTimeout:    idleTimeout,
		MaxHeaderBytes: 64 << 10,
		BaseContext:    func(net.Listener) context.Context { return base },
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		Protocols:      new(http.Protocols),
	}
	server.Protocols.SetHTTP1(true)

	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	log.InfoContext(ctx, "shutting down", slog.String("drain", drainTimeout.String()))
	drain, cancel := context.WithTimeout(base, drainTimeout)
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		// What is cut off here is found by the next event or sweep, as after a kill.
		log.WarnContext(ctx, "invocations were cut off", slog.Any("error", err))
		_ = server.Close()
	}
	return nil
}
