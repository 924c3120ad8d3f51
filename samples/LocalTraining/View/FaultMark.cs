namespace LocalTraining.View;

/// <summary>When something was broken, and in which step.</summary>
internal sealed record FaultMark(DateTimeOffset At, int Step, string Text);
