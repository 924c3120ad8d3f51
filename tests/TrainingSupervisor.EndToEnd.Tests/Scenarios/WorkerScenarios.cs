namespace TrainingSupervisor.EndToEnd.Tests.Scenarios;

/// <summary>The worker's own process, its health and its progress.</summary>
internal static class WorkerScenarios
{
    /// <summary>A step every 0.3 s with its own time, until a file says that this attempt hangs.</summary>
    private const string Training = """
        case $RANK in 1) own=0.3;; *) own=0.2;; esac
        (i=2; while [ ! -e $GANG_DIR/hang-$GANG_ATTEMPT ]; do echo step $i $own >> $GANG_PROGRESS_FILE; i=$((i+1)); sleep 0.3; done) &
        """;

    public static IEnumerable<Scenario> All()
    {
        yield return new("error", FailureKind.ApplicationError, "the worker prints an error and exits with 3", p => p.TellAsync(1, "echo shard 7 is corrupt >&2; exit 3"));
        yield return new("killed", FailureKind.Killed, "SIGKILL for the worker's process", p => p.KillWorkerAsync(1));
        yield return new("unhealthy", FailureKind.HealthCheckFailed, "the worker says `unhealthy`", p => p.TellAsync(1, "echo unhealthy loss is NaN >> $GANG_PROGRESS_FILE"));
        yield return new("health-command", FailureKind.HealthCheckFailed, "the role's health command fails twice", p => p.TellAsync(1, "touch $GANG_DIR/sick-$GANG_ATTEMPT"))
        {
            Role = r => r.WithHealthCheck(["sh", "-c", "test ! -e $GANG_DIR/sick-$GANG_ATTEMPT || { echo GPU 3 is gone; exit 1; }"], TimeSpan.FromSeconds(0.5), failures: 2),
        };
        yield return new("log-pattern", FailureKind.HealthCheckFailed, "a line of its stderr matches `WithFailurePattern`", p => p.TellAsync(1, "echo 'NCCL WARN watchdog timeout' >&2"))
        {
            Role = r => r.WithFailurePattern("NCCL.*timeout"),
        };
        yield return new("hang", FailureKind.Hang, "w-1 stops doing steps, a moment later all do", p => HangAsync(p, 1))
        {
            Beside = Training,
            Gang = g => g.WithHangTimeout(TimeSpan.FromSeconds(5)).WithoutStragglerDetection(),
        };
        yield return new("hang-again", FailureKind.Hang, "the same worker hangs a second time", HangTwiceAsync)
        {
            Beside = Training,
            Gang = g => g.WithHangTimeout(TimeSpan.FromSeconds(5)).WithoutStragglerDetection(),
            Attempt = 3,
            MoreNodes = 1,
            Steps = Scenario.MoveOne,
            CountsRestarts = false,
            IsLong = true,
        };
        yield return new("straggler", FailureKind.Straggler, "the steps of w-1 take half as long again", _ => Task.CompletedTask)
        {
            Beside = Training,
            Steps = null,
            IsLong = true,
        };
        yield return new("straggler-moved", FailureKind.Straggler, "the same, with `On(Straggler, r => r.Use(RecreateFailed).AvoidNode())`", _ => Task.CompletedTask)
        {
            Beside = Training,
            MoreNodes = 1,
            Policy = p => p.On(FailureKind.Straggler, r => r.Use(RecoveryStrategy.RecreateFailed).AvoidNode()),
            Steps = Scenario.MoveOne,
            IsLong = true,
        };
    }

    private static async Task HangAsync(Play play, int attempt)
    {
        // The hang is where steps end first: the others are ahead by then.
        await play.TellAsync(1, "touch $GANG_DIR/hang-$GANG_ATTEMPT");
        await play.Lab.UntilAsync(() => play.Gang.Status.Workers is var w && w[0].Attempt == attempt && w[0].Step > w[1].Step + 1 && w[2].Step > w[1].Step + 1);
        await play.TellAsync(0, "touch $GANG_DIR/hang-$GANG_ATTEMPT");
        play.Strike();
        await play.TellAsync(2, "touch $GANG_DIR/hang-$GANG_ATTEMPT");
    }

    private static async Task HangTwiceAsync(Play play)
    {
        await HangAsync(play, 1);
        await play.StartedAsync(2);
        await HangAsync(play, 2);
    }
}
