namespace TrainingSupervisor.Core.Tests.Failures;

/// <summary>
/// One worker of many fails, and the others for its sake: through which library and how soon differs, a few say nothing, a few die of their
/// own handling of that error and show both, and now and then one says only something misleading. Clocks are off by up to 200 ms after correction.
/// </summary>
internal sealed class Storm
{
    public static readonly string[] Culprits =
        ["error", "error without words", "SIGKILL", "SIGSEGV", "device assert", "out of memory", "out of memory by status", "node lost", "node unhealthy", "evicted", "preempted", "health"];

    private static readonly (int Weight, string Stderr, int Code, int? Signal)[] Consequences =
    [
        (40, "torch.distributed.DistBackendError: NCCL error in: ProcessGroupNCCL.cpp:2006, remote process exited or there was a network error\nncclRemoteError: A call failed possibly due to a network error or a remote process exiting prematurely.", 1, null),
        (15, "[rank{0}]:[E1125 ProcessGroupNCCL.cpp:616] [Rank {0}] Watchdog caught collective operation timeout: WorkNCCL(SeqNum={1}, OpType=ALLREDUCE)\nterminate called after throwing an instance of 'c10::DistBackendError'\n  what():  [Rank {0}] NCCL communicator was aborted on rank {0}.", 134, 6),
        (20, "RuntimeError: [../third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer [10.0.{0}.7]:{1}", 1, null),
        (8, "ConnectionResetError: [Errno 104] Connection reset by peer", 1, null),
        (6, "jaxlib.xla_extension.XlaRuntimeError: UNAVAILABLE: The following tasks are unhealthy (stopped sending heartbeats): task:{0}", 1, null),
        (4, "torch.distributed.DistNetworkError: failed to recv, got 0 bytes", 1, null),
        (3, "[node{0}] *** An error occurred in MPI_Allreduce\n*** MPI_ERR_PROC_FAILED: Process Failure", 75, null),
        (2, "lost peer {0}", 9, null),
    ];

    /// <summary>Errors that any program may end with for reasons of its own.</summary>
    private static readonly string[] Misleading =
        ["RuntimeError: DataLoader worker (pid {0}) exited unexpectedly", "KeyError: 'grad_norm'", "AttributeError: 'NoneType' object has no attribute 'state_dict'", "RuntimeError: Expected all tensors on one device"];

    private readonly Random _random;
    private readonly int _misleading;
    private readonly DateTimeOffset _start = DateTimeOffset.UnixEpoch.AddDays(20_000);

    /// <param name="seed">One seed, one storm.</param>
    /// <param name="workers">How many.</param>
    /// <param name="misleading">How many of 100,000 peers say something that does not show that they are peers.</param>
    public Storm(int seed, int workers, int misleading)
    {
        _random = new Random(seed);
        _misleading = misleading;
        Culprit = new WorkerId("trainer", _random.Next(workers));
        Kind = Culprits[Pick(35, 8, 12, 8, 7, 8, 2, 8, 4, 3, 2, 3)];
        var failures = new List<Failure>(workers + 1);
        for (var i = 0; i < workers; i++)
        {
            if (i == Culprit.Index) failures.AddRange(OfCulprit());
            else failures.Add(OfPeer(i));
        }

        Failures = [.. failures];
        _random.Shuffle(Failures);
    }

    public WorkerId Culprit { get; }
    public string Kind { get; }
    public Failure[] Failures { get; }

    private IEnumerable<Failure> OfCulprit()
    {
        Failure Exit(FailureKind kind, int code, int? signal = null, string stderr = "") => Of(Culprit.Index, kind, Skewed(0), code, signal, stderr);
        Failure Seen(FailureKind kind, double after, string by) => Of(Culprit.Index, kind, _start.AddSeconds(after), null, null, "") with { SeenBy = by };
        switch (Kind)
        {
            case "error":
                yield return Exit(FailureKind.ApplicationError, _random.Next(3) == 0 ? 42 : 1, null, OneOf(
                    "ValueError: loss is NaN at step 1233", "RuntimeError: CUDA error: an illegal memory access was encountered", "FileNotFoundError: '/data/shard-31.tar'",
                    "ValueError: bad batch\n[rank0]:[W ProcessGroupNCCL.cpp:1250] WARNING: process group has NOT been destroyed before we destruct ProcessGroupNCCL.",
                    "torch.distributed.DistBackendError: NCCL error, unhandled cuda error\nncclUnhandledCudaError: Call to CUDA function failed. Last error: Cuda failure 'uncorrectable ECC error encountered'"));
                break;
            case "error without words": yield return Exit(FailureKind.ApplicationError, _random.Next(2, 120)); break;
            case "SIGKILL": yield return Exit(FailureKind.Killed, 137, 9, _random.Next(2) == 0 ? "" : "step 812 done"); break;
            case "SIGSEGV": yield return Exit(FailureKind.Killed, 139, 11, "Fatal Python error: Segmentation fault"); break;
            case "device assert": yield return Exit(FailureKind.Killed, 134, 6, "terminate called after throwing an instance of 'c10::Error'\n  what():  CUDA error: device-side assert triggered"); break;
            case "out of memory": yield return Exit(FailureKind.OutOfMemory, 137, 9); break;
            case "out of memory by status": yield return Seen(FailureKind.OutOfMemory, 0.3 + (2 * _random.NextDouble()), "pod status"); break;
            case "node lost": yield return Seen(FailureKind.NodeLost, -2 * _random.NextDouble(), "node lease"); break;
            case "node unhealthy":
                yield return Exit(FailureKind.ApplicationError, 1, null, "RuntimeError: CUDA error: unspecified launch failure");
                yield return Seen(FailureKind.NodeUnhealthy, 30 * _random.NextDouble(), "node condition");
                break;
            case "evicted": yield return Seen(FailureKind.Evicted, 0.1 + (1.5 * _random.NextDouble()), "pod status"); break;
            case "preempted": yield return Seen(FailureKind.Preempted, 0.1 + (1.5 * _random.NextDouble()), "pod status"); break;
            default: yield return Of(Culprit.Index, FailureKind.HealthCheckFailed, Skewed(0), null, null, "") with { Evidence = "the worker says: loss is NaN", SeenBy = "worker" }; break;
        }
    }

    /// <summary>Five milliseconds to five seconds after; where only a watchdog notices, ten minutes.</summary>
    private Failure OfPeer(int index)
    {
        var delay = 0.005 * Math.Pow(1000, _random.NextDouble());
        var (_, stderr, code, signal) = Consequences[Pick([.. Consequences.Select(c => c.Weight)])];
        if (signal == 6 && _random.Next(2) == 0) delay += 600;
        var dice = _random.Next(1000);
        if (_random.Next(100_000) < _misleading) (stderr, code, signal) = (OneOf(Misleading), 1, null);
        else if (dice < 2) (stderr, code, signal) = ($"{stderr}\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n{OneOf(Misleading)}", 1, null);
        else if (dice < 12) (stderr, code, signal) = ("", 1, null);
        else if (dice < 15) (stderr, code, signal) = ("", 134, 6);
        else if (dice < 18) (stderr, code, signal) = ("", 143, 15);
        stderr = string.Format(System.Globalization.CultureInfo.InvariantCulture, stderr.Replace("'c10::", "'c10__", StringComparison.Ordinal), index, _random.Next(1000, 60000));
        return Of(index, signal is null ? FailureKind.ApplicationError : FailureKind.Killed, Skewed(delay), code, signal, stderr);
    }

    private static Failure Of(int index, FailureKind kind, DateTimeOffset at, int? code, int? signal, string stderr)
    {
        var failure = new Failure(kind, code is null ? kind.ToString() : $"exit code {code}", at)
        {
            Worker = new WorkerId("trainer", index), Pod = $"llm-trainer-{index}-1", Node = $"node-{index / 8}", ExitCode = code, Signal = signal, StderrTail = stderr, SeenBy = "agent",
        };
        return failure;
    }

    private DateTimeOffset Skewed(double after) => _start.AddSeconds(after + (0.4 * _random.NextDouble()) - 0.2);

    private string OneOf(params string[] texts) => texts[_random.Next(texts.Length)];

    private int Pick(params int[] weights)
    {
        var dice = _random.Next(weights.Sum());
        var i = 0;
        while (dice >= weights[i]) dice -= weights[i++];
        return i;
    }
}
