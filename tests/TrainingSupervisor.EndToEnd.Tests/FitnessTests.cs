namespace TrainingSupervisor.EndToEnd.Tests;

[Collection(nameof(OneAtATime))]
public sealed class FitnessTests
{
    [Fact]
    public async Task Recovery_HealthCommandFailsInOnePod_ThatWorkerMovesAndTheOtherIsKept()
    {
        await using var lab = await Lab.StartAsync(3);
        // A Pod whose first worker had rank 1 is bad from then on; a container that is started anew keeps its emptyDir, and the command has no variables of a worker.
        var work = "if [ $RANK = 1 ]; then touch $GANG_DIR/bad; if [ $GANG_ATTEMPT = 1 ]; then sleep 1; exit 3; fi; fi; exec sleep 3600";
        var check = "if [ -n \"$GANG_WORKER_PID\" ]; then exit 0; fi; if [ -e $GANG_DIR/bad ]; then echo Xid 79 on GPU 3; exit 9; fi";
        var request = lab.Cluster.Request(2, 0, ["sh", "-c", work]) with { HealthCommand = ["sh", "-c", check] };
        var gang = await lab.LaunchAsync(request.Describe().WithPolicy(p => p
            .On(FailureKind.ApplicationError, r => r.Use(RecoveryStrategy.Hybrid).CheckHealth())));
        await lab.RunningAsync(gang, 1);
        var before = gang.Status.Workers;
        await lab.RunningAsync(gang, 2);
        var after = gang.Status.Workers;
        var plan = (await lab.ExpectAsync<RecoveryPlanned>(gang, p => p.Plan is { Attempt: 2, Failures.Length: > 1 })).Plan;

        Assert.Equal((FailureKind.ApplicationError, RecoveryStep.Recreate), (plan.Cause!.Kind, plan.Steps[1].Step));
        Assert.Contains("exit code 9: Xid 79 on GPU 3", plan.Failures.Single(f => f.Kind == FailureKind.HealthCheckFailed).Evidence, StringComparison.Ordinal);
        Assert.NotEqual(before[1].Node, after[1].Node);
        Assert.Equal(before[0].Pod, after[0].Pod);
    }
}
