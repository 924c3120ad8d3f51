using TrainingSupervisor.Protocol;

namespace TrainingSupervisor.Gateway;

/// <summary>What an agent is told first: how the gang is to be reported, and what its role's health is seen by.</summary>
internal static class Welcomes
{
    /// <summary>Progress of an agent is sent at most so often.</summary>
    private const int ProgressMilliseconds = 50;

    public static Welcome For(GangSpec spec, string role)
    {
        var its = spec.Roles.First(r => r.Name == role);
        var welcome = new Welcome
        {
            HeartbeatMs = (int)spec.HeartbeatInterval.TotalMilliseconds,
            FenceMs = (int)spec.Fence.TotalMilliseconds,
            ProgressMs = ProgressMilliseconds,
            FailurePatterns = { its.FailurePatterns },
        };
        if (its.HealthCheck is { } check)
        {
            welcome.HealthCheck = new Protocol.HealthCheck
            {
                Command = { check.Command },
                IntervalMs = (int)check.Interval.TotalMilliseconds,
                TimeoutMs = (int)check.Timeout.TotalMilliseconds,
                Failures = check.Failures,
            };
        }

        return welcome;
    }
}
