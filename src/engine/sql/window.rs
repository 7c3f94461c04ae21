//! Windows: the documented default frame is ROWS, not RANGE but in the Hive-compatible edition.

use datafusion::sql::sqlparser::ast::{
    Expr, Function, NamedWindowDefinition, NamedWindowExpr, WindowFrame, WindowFrameBound,
    WindowFrameUnits, WindowSpec, WindowType,
};

/// Gives a window with an order and no frame the frame from its first row to the current one, so that
/// rows of equal order count one by one.
///
/// Manual page: "Window functions".
pub(super) fn default_frame(spec: &mut WindowSpec, is_hive: bool) {
    spec.order_by
        .retain(|order| !matches!(order.expr, Expr::Value(_)));
    if spec.window_frame.is_none() && !spec.order_by.is_empty() && !is_hive {
        spec.window_frame = Some(WindowFrame {
            units: WindowFrameUnits::Rows,
            start_bound: WindowFrameBound::Preceding(None),
            end_bound: Some(WindowFrameBound::CurrentRow),
        });
    }
}

pub(super) fn default_frame_of(function: &mut Function, is_hive: bool) {
    if let Some(WindowType::WindowSpec(spec)) = &mut function.over {
        default_frame(spec, is_hive);
    }
}

pub(super) fn default_frame_of_named(window: &mut NamedWindowDefinition, is_hive: bool) {
    if let NamedWindowExpr::WindowSpec(spec) = &mut window.1 {
        default_frame(spec, is_hive);
    }
}
