namespace TrainingSupervisor;

/// <summary>What a plan is expected to cost, by what earlier recoveries of this gang took. <see cref="RecoveryTiming"/> says afterwards what it did cost.</summary>
/// <param name="Restart">From the first command until every worker is at the barrier; for workers to save first, if the plan asks for that; and for backoff.</param>
/// <param name="LostWork">What has been trained since the last checkpoint that was reported, and must be trained again; zero when workers save first.</param>
/// <param name="Learned">Whether earlier recoveries of this gang taught the times; false for first guesses.</param>
public sealed record RecoveryEstimate(TimeSpan Restart, TimeSpan LostWork, bool Learned)
{
    /// <summary>Both together.</summary>
    public TimeSpan Total => Restart + LostWork;

    /// <summary>As <c>about 2.1 s, and 37 s of training again</c>.</summary>
    public override string ToString() =>
        $"about {PlanText.Seconds(Restart)}{(Learned ? "" : " (a first guess)")}, and {PlanText.Seconds(LostWork)} of training again";
}
