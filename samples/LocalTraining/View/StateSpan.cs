namespace LocalTraining.View;

/// <summary>From this moment on the rank is in this state.</summary>
internal sealed record StateSpan(int Rank, string State, DateTimeOffset From);
